package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/term"

	"paysaga/audit"
	"paysaga/bench/gauge"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/store"
)

// checkpointKey is the key that checkpoints are signed with.
type checkpointKey struct {
	CheckpointKey string `name:"checkpoint-key" setting:"PAYSAGA_CHECKPOINT_KEY" placeholder:"FILE" help:"The private key that signs checkpoints, a file of 'paysaga operator create'."`
}

// chainFlags say how the chain is walked.
type chainFlags struct {
	Chain         bool   `help:"Instead of the checks, walk the chain of all books: recompute the hash of every journal and block, and name what was changed."`
	Checkpoint    string `placeholder:"DIR" help:"With --chain: if nothing is broken, write a signed checkpoint of each book to this folder. Keep copies elsewhere."`
	Verify        string `placeholder:"FILE" help:"With --chain: a checkpoint that its book still has to continue."`
	Parallel      int    `default:"4" help:"With --chain: how many connections walk at once."`
	checkpointKey `embed:""`
}

// chain walks the chain of each database, and writes checkpoints if all is well.
func (c *auditCommand) chain(a *app, conf store.Config) error {
	var signer string
	var key ed25519.PrivateKey
	var err error
	if c.Checkpoint != "" && c.CheckpointKey == "" {
		return wrong("PAYSAGA_CHECKPOINT_KEY", "is missing: the key that signs checkpoints, from 'paysaga operator create'")
	}
	if c.CheckpointKey != "" {
		if signer, key, err = readKey(c.CheckpointKey); err != nil {
			return err
		}
	}
	var known []audit.Checkpoint
	if c.Verify != "" {
		cp, err := c.known(a, conf, signer, key)
		if err != nil {
			return err
		}
		known = append(known, cp)
	}
	clean := true
	for _, url := range databases(conf) {
		o := chainOptions(url, of(conf, url, known))
		o.Parallel = max(1, c.Parallel)
		var bar *gauge.Bar
		o.Progress = func(done, total int64) {
			if bar == nil {
				bar = gauge.NewBar(terminal(a.err), int(total))
			}
			bar.Reach(int(done), "blocks")
		}
		r, err := audit.Chain(a.ctx, o)
		if bar != nil {
			bar.End()
		}
		if err != nil {
			return err
		}
		for _, b := range r.Breaks {
			fmt.Fprintln(a.out, "BROKEN ", b)
		}
		fmt.Fprintf(a.out, "%d journals in %d blocks, %d of them in detached months; %d journals from before the chain: %d broken\n",
			r.Journals, r.Blocks, r.Away, r.Unchained, r.Broken)
		clean = clean && r.Broken == 0
		if r.Broken > 0 || c.Checkpoint == "" {
			continue
		}
		for _, book := range of(conf, url, r.Books) {
			path, err := writeCheckpoint(c.Checkpoint, book, signer, key)
			if err != nil {
				return err
			}
			fmt.Fprintln(a.out, "checkpoint", path)
		}
	}
	if !clean {
		return errQuiet
	}
	return nil
}

// known reads the checkpoint to be verified. Its signer's key is that of --checkpoint-key, if it is theirs, else the one that
// the database holds: who could change the one could change the other.
func (c *auditCommand) known(a *app, conf store.Config, signer string, key ed25519.PrivateKey) (audit.Checkpoint, error) {
	file, err := os.ReadFile(c.Verify)
	if err != nil {
		return audit.Checkpoint{}, err
	}
	cp, err := audit.ReadCheckpoint(file, func(who string) (ed25519.PublicKey, error) {
		if who == signer {
			return key.Public().(ed25519.PublicKey), nil
		}
		s, err := store.Open(a.ctx, conf)
		if err != nil {
			return nil, err
		}
		defer s.Close()
		o, err := s.Operator(a.ctx, who)
		if err == nil && o.Revoked {
			err = fault.Denied("signature_invalid", "the key of "+who+" was revoked")
		}
		return o.PublicKey, err
	})
	if err == nil {
		fmt.Fprintf(a.out, "the checkpoint of the %s book of %s is signed; the book has to continue it\n", cp.Book, cp.At.Format(time.RFC3339))
	}
	return cp, err
}

// of are the checkpoints of the books that stand in the database of url.
func of(conf store.Config, url string, known []audit.Checkpoint) (list []audit.Checkpoint) {
	for _, c := range known {
		if own := conf.URLs[c.Book]; own == url || own == "" && conf.URL == url {
			list = append(list, c)
		}
	}
	return list
}

func chainOptions(url string, known []audit.Checkpoint) audit.ChainOptions {
	return audit.ChainOptions{Known: known, Connect: func(ctx context.Context) (*pgx.Conn, error) {
		return connectReader(ctx, url)
	}}
}

// terminal is out if somebody watches it, else nil.
func terminal(out io.Writer) io.Writer {
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

func checkpointPath(dir string, book id.Book, at time.Time) string {
	return filepath.Join(dir, "checkpoint-"+string(book)+"-"+at.UTC().Format(time.DateOnly)+".json")
}

// writeCheckpoint writes a checkpoint's file, whole or not at all, in the place of an earlier one of that day.
func writeCheckpoint(dir string, c audit.Checkpoint, signer string, key ed25519.PrivateKey) (string, error) {
	raw, err := c.Sign(signer, key)
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp(dir, ".checkpoint-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return "", err
	}
	path := checkpointPath(dir, c.Book, c.At)
	return path, os.Rename(f.Name(), path)
}

// checkpoints is a worker's daily job: each day's first look walks the chain from the newest checkpoints on and, if nothing is
// broken, writes the next ones.
type checkpoints struct {
	conf   store.Config
	dir    string
	signer string
	key    ed25519.PrivateKey
	broken prometheus.Gauge
	last   prometheus.Gauge
	log    *slog.Logger
}

// newCheckpoints is nil without a folder.
func newCheckpoints(w workConfig, conf store.Config, metrics prometheus.Registerer, log *slog.Logger) (*checkpoints, error) {
	if w.CheckpointDir == "" {
		return nil, nil
	}
	signer, key, err := readKey(w.CheckpointKey)
	if err != nil {
		return nil, fmt.Errorf("PAYSAGA_CHECKPOINT_KEY: %w", err)
	}
	c := &checkpoints{conf: conf, dir: w.CheckpointDir, signer: signer, key: key, log: log,
		broken: prometheus.NewGauge(prometheus.GaugeOpts{Name: "paysaga_chain_broken", Help: "Places where the books aren't what their chain says, at the last daily walk."}),
		last:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "paysaga_chain_last_timestamp_seconds", Help: "When the chain was last walked and a checkpoint written."})}
	metrics.MustRegister(c.broken, c.last)
	return c, nil
}

// run looks every so often until ctx ends.
func (c *checkpoints) run(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ctx.Err() == nil {
		for _, url := range databases(c.conf) {
			if err := c.look(ctx, url, time.Now()); err != nil && ctx.Err() == nil {
				c.log.Warn("no checkpoint could be written; it is tried again", "error", err.Error())
			}
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// look writes the checkpoints of one database, unless those of the day stand.
func (c *checkpoints) look(ctx context.Context, url string, now time.Time) error {
	var known []audit.Checkpoint
	due := false
	for _, book := range id.Books() {
		if len(of(c.conf, url, []audit.Checkpoint{{Book: book}})) == 0 {
			continue
		}
		newest, err := c.newest(book)
		if err != nil {
			return err
		}
		if newest != nil {
			known = append(known, *newest)
		}
		due = due || newest == nil || newest.At.UTC().Format(time.DateOnly) < now.UTC().Format(time.DateOnly)
	}
	if !due {
		return nil
	}
	o := chainOptions(url, known)
	o.After, o.Parallel = true, 2
	r, err := audit.Chain(ctx, o)
	if err != nil {
		return err
	}
	c.broken.Set(float64(r.Broken))
	for _, b := range r.Breaks[:min(len(r.Breaks), 5)] {
		c.log.Error("the books aren't what their chain says", "number", b.Number, "cause", b.Cause, "lane", b.Lane, "block", b.Block, "what", b.What)
	}
	if r.Broken > 0 {
		return errors.New("the chain is broken")
	}
	for _, book := range of(c.conf, url, r.Books) {
		if _, err := writeCheckpoint(c.dir, book, c.signer, c.key); err != nil {
			return err
		}
	}
	c.last.SetToCurrentTime()
	c.log.Info("the chain was walked", "journals", r.Journals, "blocks", r.Blocks)
	return nil
}

// newest is the newest checkpoint of a book in the folder, or nil. One that isn't ours is an error: somebody was there.
func (c *checkpoints) newest(book id.Book) (*audit.Checkpoint, error) {
	list, err := filepath.Glob(filepath.Join(c.dir, "checkpoint-"+string(book)+"-*.json"))
	if err != nil || len(list) == 0 {
		return nil, err
	}
	file, err := os.ReadFile(slices.Max(list))
	if err != nil {
		return nil, err
	}
	cp, err := audit.ReadCheckpoint(file, func(string) (ed25519.PublicKey, error) { return c.key.Public().(ed25519.PublicKey), nil })
	return &cp, err
}
