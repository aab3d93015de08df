package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"go.temporal.io/server/common/headers"
	"go.temporal.io/server/common/log"
)

// Stack is one running devstack. Its fields are set in the order the parts come up.
type Stack struct {
	Ready Ready // what the ready file says

	cfg      Config
	lock     *stateLock
	book     *portBook
	ports    choices
	postgres *postgresServer // nil on an external server
	db       database
	logger   log.Logger
	temporal *temporalServer
	ui       *webUI
}

// Start brings up all parts and returns once every one is healthy and the ready
// file is written. On an error nothing is left running. It may take minutes
// only when PostgreSQL recovers a large log.
func Start(ctx context.Context, cfg Config) (*Stack, error) {
	s := &Stack{cfg: cfg}
	began := time.Now()
	for _, part := range []func(context.Context) error{s.claim, s.startPostgres, s.prepareDatabases, s.startTemporal, s.settle, s.startUI} {
		if err := ctx.Err(); err != nil {
			s.Stop()
			return nil, err
		}
		if err := part(ctx); err != nil {
			s.Stop()
			return nil, err
		}
	}
	s.Ready.PID, s.Ready.StartedAt = os.Getpid(), time.Now().UTC()
	if err := s.Ready.write(cfg.ReadyFile); err != nil {
		s.Stop()
		return nil, fmt.Errorf("cannot write the ready file: %w", err)
	}
	fmt.Fprintf(cfg.Out, "devstack ready in %.1f s\n", time.Since(began).Seconds())
	return s, nil
}

func (s *Stack) say(format string, args ...any) {
	fmt.Fprintf(s.cfg.Out, "devstack: "+format+"\n", args...)
}

// came tells that a part is up, and how long it took.
func (s *Stack) came(since time.Time, format string, args ...any) {
	s.say(format+" (%.1f s)", append(args, time.Since(since).Seconds())...)
}

// claim takes the state folder and all ports for this process.
func (s *Stack) claim(context.Context) error {
	if err := os.MkdirAll(s.cfg.StateDir, 0o755); err != nil {
		return fmt.Errorf("cannot make the state folder: %w", err)
	}
	var err error
	if s.lock, err = lockState(s.cfg.StateDir); err != nil {
		return err
	}
	// Left over from a kill -9: nobody may take the old one for ours.
	if err := removeReady(s.cfg.ReadyFile); err != nil {
		return fmt.Errorf("cannot remove the old ready file: %w", err)
	}
	if s.logger, err = temporalLogger(s.logPath("temporal"), s.cfg.Out); err != nil {
		return fmt.Errorf("cannot write logs: %w", err)
	}
	s.book, err = newPortBook()
	return err
}

func (s *Stack) logPath(name string) string {
	return filepath.Join(s.cfg.StateDir, "log", name+".log")
}

// startPostgres runs our own server, unless DATABASE_URL names another. Strays
// of a killed devstack go first: they may still hold the port.
func (s *Stack) startPostgres(ctx context.Context) error {
	if s.cfg.DatabaseURL != "" {
		var err error
		if s.db, err = externalDatabase(s.cfg.DatabaseURL); err != nil {
			return err
		}
		s.ports, err = choosePorts(s.cfg, s.book)
		return err
	}
	began := time.Now()
	dir, major, err := existingCluster(s.cfg.StateDir)
	if err != nil {
		return err
	}
	own, err := postgresOwner(dir)
	if err != nil {
		return err
	}
	bin, err := newBinaryFinder().find(s.cfg.PostgresBin, major)
	if err != nil {
		return err
	}
	if dir != "" {
		if err := stopStrays(dir, s.say); err != nil {
			return err
		}
	}
	if s.ports, err = choosePorts(s.cfg, s.book); err != nil {
		return err
	}
	if dir, bin, err = s.cluster(dir, bin, own); err != nil {
		return err
	}
	s.postgres, err = startPostgres(ctx, postgresStart{
		bin: bin, own: own, dataDir: dir, port: s.ports.PostgresPort, fsync: s.cfg.Fsync, logPath: s.logPath("postgres"),
	})
	if err != nil {
		return err
	}
	as := ""
	if own.dropped {
		as = ", as user " + own.name
	}
	s.db = database{admin: mustParse(s.postgres.url(superuser, "postgres"))}
	s.came(began, "PostgreSQL %s on %s, from %s%s", bin.full, loopback(s.ports.PostgresPort), bin.dir, as)
	return nil
}

// cluster makes the data folder if there is none, and binaries that its owner can run.
func (s *Stack) cluster(dir string, bin binaries, own owner) (string, binaries, error) {
	if dir != "" {
		if !own.reaches(dir) {
			return "", bin, fmt.Errorf("user %s cannot reach PostgreSQL's data in %s any more: let that user enter the folders above it", own.name, dir)
		}
		bin, err := own.reachableCopy(bin, filepath.Dir(dir))
		return dir, bin, err
	}
	home, err := clusterHome(s.cfg.StateDir, privateHomes, own, s.say)
	if err != nil {
		return "", bin, err
	}
	if bin, err = own.reachableCopy(bin, home); err != nil {
		return "", bin, err
	}
	dir, err = makeCluster(s.cfg, home, bin, own, s.say)
	return dir, bin, err
}

func mustParse(text string) url.URL {
	u, err := url.Parse(text)
	if err != nil {
		panic("devstack made a URL that it cannot read: " + err.Error())
	}
	return *u
}

func (s *Stack) prepareDatabases(ctx context.Context) error {
	began := time.Now()
	if err := s.db.prepare(ctx); err != nil {
		return err
	}
	if err := setUpSchemas(ctx, s.db, s.logger); err != nil {
		return err
	}
	s.Ready.PostgresURL, s.Ready.AppURL = s.db.roleURL(ownerRole), s.db.roleURL(appRole)
	where := ""
	if s.db.external {
		where = " on the external server " + s.db.address()
	}
	s.came(began, "databases %s, %s, %s%s", paysagaDB, temporalDB, visibilityDB, where)
	return nil
}

func (s *Stack) startTemporal(ctx context.Context) error {
	began := time.Now()
	limit, err := s.db.maxConnections(ctx)
	if err != nil {
		return err
	}
	s.temporal, err = startTemporal(temporalStart{cfg: s.cfg, ports: s.ports, store: stores(s.db, limit), logger: s.logger})
	if err != nil {
		return fmt.Errorf("the Temporal server does not start: %s (more in %s)", firstLine(err.Error()), s.logPath("temporal"))
	}
	s.Ready.TemporalAddress, s.Ready.Namespace = s.temporal.address, s.cfg.Namespace
	s.came(began, "Temporal server %s on %s", headers.ServerVersion, s.temporal.address)
	return nil
}

func (s *Stack) settle(ctx context.Context) error {
	began := time.Now()
	if err := settleNamespace(ctx, s.temporal.address, s.cfg.Namespace); err != nil {
		return err
	}
	s.came(began, "namespace %s with %d search attributes", s.cfg.Namespace, len(searchAttributes))
	return nil
}

func (s *Stack) startUI(ctx context.Context) error {
	if s.cfg.NoUI {
		return nil
	}
	began := time.Now()
	var err error
	if s.ui, err = startUI(ctx, s.ports.UIPort, s.temporal.address, s.cfg.Namespace); err != nil {
		return err
	}
	s.Ready.UIURL = s.ui.url
	s.came(began, "Temporal Web UI on %s", s.ui.url)
	return nil
}
