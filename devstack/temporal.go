package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
)

// temporalServer is the whole Temporal server, its four services in this process.
type temporalServer struct {
	server  temporal.Server
	address string
}

type temporalStart struct {
	cfg    Config
	ports  choices
	store  func(name string) *config.SQL
	logger log.Logger
}

// startTemporal starts the server; it listens, but may not have its namespaces yet.
func startTemporal(p temporalStart) (*temporalServer, error) {
	address := loopback(p.ports.TemporalPort)
	// Static hosts: gossip keeps ports in a SMALLINT and fails above 32767.
	hosts := map[primitives.ServiceName]static.Hosts{
		primitives.FrontendService: static.SingleLocalHost(address),
		primitives.HistoryService:  static.SingleLocalHost(loopback(p.ports.HistoryPort)),
		primitives.MatchingService: static.SingleLocalHost(loopback(p.ports.MatchingPort)),
		primitives.WorkerService:   static.SingleLocalHost(loopback(p.ports.WorkerPort)),
	}
	server, err := temporal.NewServer(
		temporal.WithConfig(serverConfig(p, address)),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(hosts),
		temporal.WithLogger(p.logger),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithDynamicConfigClient(dynamicConfig(p.cfg)),
	)
	if err != nil {
		return nil, err
	}
	if err := server.Start(); err != nil {
		_ = server.Stop() // the services that did start
		return nil, err
	}
	return &temporalServer{server: server, address: address}, nil
}

// stop waits for the services up to a limit: the state is safe in PostgreSQL at any moment.
func (t *temporalServer) stop(patience time.Duration) error {
	stopped := make(chan error, 1)
	go func() { stopped <- t.server.Stop() }()
	select {
	case err := <-stopped:
		return err
	case <-time.After(patience):
		return fmt.Errorf("not down after %s, going on without it", patience)
	}
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

func serverConfig(p temporalStart, address string) *config.Config {
	rpc := func(port int) config.Service {
		return config.Service{RPC: config.RPC{GRPCPort: port, BindOnLocalHost: true}}
	}
	const clusterName = "active"
	archival := "disabled"
	return &config.Config{
		Global: config.Global{Membership: config.Membership{MaxJoinDuration: 30 * time.Second, BroadcastAddress: "127.0.0.1"}},
		Persistence: config.Persistence{
			DefaultStore: temporalDB, VisibilityStore: visibilityDB, NumHistoryShards: int32(p.cfg.HistoryShards),
			DataStores: map[string]config.DataStore{
				temporalDB:   {SQL: p.store(temporalDB)},
				visibilityDB: {SQL: p.store(visibilityDB)},
			},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10, MasterClusterName: clusterName, CurrentClusterName: clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: address},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services: map[string]config.Service{
			string(primitives.FrontendService): rpc(p.ports.TemporalPort),
			string(primitives.HistoryService):  rpc(p.ports.HistoryPort),
			string(primitives.MatchingService): rpc(p.ports.MatchingPort),
			string(primitives.WorkerService):   rpc(p.ports.WorkerPort),
		},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: archival},
			Visibility: config.VisibilityArchival{State: archival},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: archival},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: archival},
		}},
		PublicClient: config.PublicClient{HostPort: address},
	}
}

// stores gives Temporal's view of the database server. Every service opens a
// pool of its own for each store, so the sizes are per service.
func stores(d database, maxConnections int) func(name string) *config.SQL {
	forMain, forVisibility := storeConnections(maxConnections)
	attributes := map[string]string{"sslmode": "disable"}
	if d.external {
		attributes = map[string]string{}
		for key, values := range d.admin.Query() {
			attributes[key] = values[0]
		}
		if attributes["sslmode"] == "" {
			attributes["sslmode"] = "prefer" // what PostgreSQL's own clients do; Temporal's default is "disable"
		}
	}
	password, _ := d.admin.User.Password()
	return func(name string) *config.SQL {
		conns := forMain
		if name == visibilityDB {
			conns = forVisibility
		}
		return &config.SQL{
			PluginName: postgresql.PluginNamePGX, DatabaseName: name,
			User: d.admin.User.Username(), Password: password,
			ConnectAddr: d.address(), ConnectProtocol: "tcp", ConnectAttributes: attributes,
			MaxConns: conns, MaxIdleConns: conns, MaxConnLifetime: time.Hour,
		}
	}
}

// temporalLogger writes warnings and worse to a file. What ends the process
// would end it silently then, so that is said on the terminal too.
func temporalLogger(path string, terminal io.Writer) (log.Logger, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := openLog(path) // moves a large one aside, and proves that it can be written
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	zap := log.NewZapLogger(log.BuildZapLogger(log.Config{Level: "warn", OutputFile: path}))
	return fatalToTerminal{Logger: zap, terminal: terminal, path: path}, nil
}

type fatalToTerminal struct {
	log.Logger
	terminal io.Writer
	path     string
}

func (l fatalToTerminal) Fatal(msg string, tags ...tag.Tag) {
	fmt.Fprintf(l.terminal, "devstack: the Temporal server gave up: %s (more in %s)\n", msg, l.path)
	l.Logger.Fatal(msg, tags...)
}

func (l fatalToTerminal) With(tags ...tag.Tag) log.Logger {
	return fatalToTerminal{Logger: log.With(l.Logger, tags...), terminal: l.terminal, path: l.path}
}
