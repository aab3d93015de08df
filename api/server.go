package api

import (
	"errors"
	"log/slog"
	"net/http"
	"runtime"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"paysaga/channels"
	"paysaga/domain/routing"
)

// Config is what can be set about the HTTP front. Zero values become the defaults.
type Config struct {
	// Deadline is how long a POST waits for a stable state before it answers 202. Default 3 s. Leave it below the clients'
	// and proxies' own timeouts, or they get no answer instead of a 202.
	Deadline time.Duration
	// StoreTimeout bounds what a request asks of the store; past it the answer is 503. Default 5 s.
	StoreTimeout time.Duration
	// LoginRate is how many requests about log-ins an address may make per second, in the long run; ten times as many at once. Default 20.
	// Behind a proxy all come from its address: leave it high there, and limit at the proxy.
	LoginRate float64
}

func (c Config) withDefaults() (Config, error) {
	if c.Deadline == 0 {
		c.Deadline = 3 * time.Second
	}
	if c.StoreTimeout == 0 {
		c.StoreTimeout = 5 * time.Second
	}
	if c.LoginRate == 0 {
		c.LoginRate = 20
	}
	if c.Deadline < 0 || c.StoreTimeout < 0 {
		return Config{}, errors.New("api: Deadline and StoreTimeout must not be negative")
	}
	return c, nil
}

// Parts are what the front works with. All are required but Poke, Health and Now.
type Parts struct {
	Keys         Keys
	Sessions     Sessions
	Users        Users
	Logins       Logins
	Destinations Destinations
	Accounts     Accounts
	Book         Book
	Reader       Reader
	Refunds      Refunds
	Rebates      Rebates
	Settler      Settler
	Rerater      Rerater
	// Payouts reads payouts.
	Payouts Payouts
	// Transfers reads transfers between wallets.
	Transfers Transfers
	Ledger    Ledger
	Cases     Cases
	Judge     Judge
	Rules     Rules
	Lists     Lists
	Campaigns Campaigns
	Shoppers  Shoppers
	Sealer    Sealer
	Inbox     Inbox
	// Endpoints, Outbox, Again and Hooks are what merchants are told by.
	Endpoints Endpoints
	Outbox    Outbox
	Again     Again
	Hooks     Hooks
	// Notices and Writer are what people are told.
	Notices  Notices
	Writer   Writer
	Store    Pinger
	Starter  Starter
	Channels channels.Registry
	// Poke wakes the relay that carries stored callbacks on; it must not block. nil: the relay finds them by itself.
	Poke func()
	// Health is what this process has lately seen of channel accounts. nil: it calls none.
	Health func(open []channels.OpenAccount) map[string]routing.Health
	// Metrics takes this package's metrics, MetricsPage shows all of them.
	Metrics     prometheus.Registerer
	MetricsPage http.Handler
	Log         *slog.Logger
	// Now is the clock. nil: time.Now.
	Now func() time.Time
}

func (p Parts) check() error {
	for name, missing := range map[string]bool{
		"Keys": p.Keys == nil, "Sessions": p.Sessions == nil, "Users": p.Users == nil, "Logins": p.Logins == nil, "Destinations": p.Destinations == nil, "Accounts": p.Accounts == nil, "Book": p.Book == nil, "Reader": p.Reader == nil, "Refunds": p.Refunds == nil, "Rebates": p.Rebates == nil, "Settler": p.Settler == nil, "Rerater": p.Rerater == nil, "Payouts": p.Payouts == nil,
		"Ledger": p.Ledger == nil, "Rules": p.Rules == nil, "Lists": p.Lists == nil, "Sealer": p.Sealer == nil,
		"Campaigns": p.Campaigns == nil, "Shoppers": p.Shoppers == nil,
		"Cases": p.Cases == nil, "Judge": p.Judge == nil, "Inbox": p.Inbox == nil, "Endpoints": p.Endpoints == nil, "Outbox": p.Outbox == nil, "Again": p.Again == nil, "Hooks": p.Hooks == nil, "Store": p.Store == nil, "Starter": p.Starter == nil, "Channels": p.Channels == nil,
		"Transfers": p.Transfers == nil,
		"Metrics":   p.Metrics == nil, "MetricsPage": p.MetricsPage == nil, "Log": p.Log == nil,
	} {
		if missing {
			return errors.New("api: the part " + name + " is missing")
		}
	}
	return nil
}

// server answers the operations of openapi.yaml.
type server struct {
	Config
	Parts
	docs    http.Handler
	tokens  echo.MiddlewareFunc // finds out which user a token is
	hashing slots
	callers addresses
	schemas map[string]*openapi3.Schema
}

// New returns the handler of every route of openapi.yaml. It starts nothing and holds no connection; Server serves it.
func New(cfg Config, parts Parts) (http.Handler, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := parts.check(); err != nil {
		return nil, err
	}
	if parts.Poke == nil {
		parts.Poke = func() {}
	}
	if parts.Health == nil {
		parts.Health = func([]channels.OpenAccount) map[string]routing.Health { return nil }
	}
	if parts.Now == nil {
		parts.Now = time.Now
	}
	schemas, err := bodySchemas()
	if err != nil {
		return nil, err
	}
	s := &server{Config: cfg, Parts: parts, docs: docsPage(), schemas: schemas, hashing: make(slots, runtime.GOMAXPROCS(0)),
		callers: addresses{rate: rate.Limit(cfg.LoginRate), burst: int(10*cfg.LoginRate) + 1}}
	if s.tokens, err = s.readTokens(); err != nil {
		return nil, err
	}
	return s.routes()
}

// routes joins middleware, generated stubs and the assets of the reference page.
func (s *server) routes() (*echo.Echo, error) {
	measure, err := s.measure()
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.HTTPErrorHandler = s.problem
	e.Use(s.name, measure, s.recover)
	guards := map[string][]echo.MiddlewareFunc{}
	for id, op := range operations {
		guards[id] = []echo.MiddlewareFunc{s.guard(op)}
	}
	RegisterHandlersWithOptions(e, s, RegisterHandlersOptions{OperationMiddlewares: guards})
	e.GET("/docs/*", s.GetReference)
	return e, nil
}

// Server returns an http.Server for a handler of New, with limits on everything that a slow or hostile client could
// stretch. Serving and shutting down are the caller's.
func Server(address string, handler http.Handler) *http.Server {
	return &http.Server{
		Addr:              address,
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second, // a body is at most 64 KiB
		WriteTimeout:      60 * time.Second, // well above any Deadline
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
}
