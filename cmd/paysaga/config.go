package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"paysaga/domain/id"
	"paysaga/store"
	"paysaga/workflows"
)

// wrong says which setting can't be used, and what to do about it.
func wrong(name, text string) error { return fmt.Errorf("%s %s", name, text) }

// databaseConfig is where the data is.
type databaseConfig struct {
	DatabaseURL       string `name:"database-url" setting:"PAYSAGA_DATABASE_URL" secret:"url" placeholder:"URL" help:"The PostgreSQL database, as the application's role: postgres://paysaga_app:…@host/paysaga."`
	DatabaseURLLive   string `name:"database-url-live" setting:"PAYSAGA_DATABASE_URL_LIVE" secret:"url" placeholder:"URL" help:"A database of its own for the live book. By default all books share one."`
	DatabaseURLTest   string `name:"database-url-test" setting:"PAYSAGA_DATABASE_URL_TEST" secret:"url" placeholder:"URL" help:"The same for the test book."`
	DatabaseURLShadow string `name:"database-url-shadow" setting:"PAYSAGA_DATABASE_URL_SHADOW" secret:"url" placeholder:"URL" help:"The same for the shadow book: load tests in production."`
	MaxConns          int    `name:"database-max-conns" setting:"PAYSAGA_DATABASE_MAX_CONNS" default:"16" help:"The most connections to each database."`
	sealConfig        `embed:""`
}

// sealConfig are the keys that seal secrets at rest.
type sealConfig struct {
	SealKeys string `name:"seal-keys" setting:"PAYSAGA_SEAL_KEYS" secret:"all" placeholder:"ID:BASE64,…" help:"The keys that seal channel credentials, tokens and personal data at rest: an id and 32 bytes in base64 each, the current one first, older ones behind it."`
	KeysFile string `name:"keys-file" setting:"PAYSAGA_KEYS_FILE" placeholder:"FILE" help:"A file with the keys of PAYSAGA_SEAL_KEYS instead, one on a line, the current one first. Nobody else may read it."`
	Envelope bool   `name:"envelope" setting:"PAYSAGA_ENVELOPE" default:"true" negatable:"" help:"Give each secret a data key of its own, sealed under the current key. Turn it off while processes still run that are older than this setting: they can't read envelopes."`
}

// sealKeys reads them; its errors quote nothing (I-26).
func (c sealConfig) sealKeys() (store.SealKeys, error) {
	text := c.SealKeys
	if c.KeysFile != "" {
		info, err := os.Stat(c.KeysFile)
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			return store.SealKeys{}, wrong("PAYSAGA_KEYS_FILE", "may be read by others: run chmod 600 on it first")
		}
		raw, err := os.ReadFile(c.KeysFile)
		if err != nil {
			return store.SealKeys{}, wrong("PAYSAGA_KEYS_FILE", "can't be read: "+err.Error())
		}
		text = strings.Join(strings.Fields(string(raw)), ",")
	}
	keys, err := parseSealKeys(text)
	keys.Direct = !c.Envelope
	return keys, err
}

// store checks the settings and makes the store's Config.
func (c databaseConfig) store() (store.Config, error) {
	if c.DatabaseURL == "" {
		return store.Config{}, wrong("PAYSAGA_DATABASE_URL", "is missing: the address of PostgreSQL. On a development machine start `make dev` in another shell: it writes "+defaultSettings)
	}
	if c.MaxConns < 2 {
		return store.Config{}, wrong("PAYSAGA_DATABASE_MAX_CONNS", "must be 2 or more")
	}
	books := map[id.Book]string{id.Live: c.DatabaseURLLive, id.Test: c.DatabaseURLTest, id.Shadow: c.DatabaseURLShadow}
	for _, s := range [][2]string{{"PAYSAGA_DATABASE_URL", c.DatabaseURL}, {"PAYSAGA_DATABASE_URL_LIVE", c.DatabaseURLLive},
		{"PAYSAGA_DATABASE_URL_TEST", c.DatabaseURLTest}, {"PAYSAGA_DATABASE_URL_SHADOW", c.DatabaseURLShadow}} {
		if err := checkDatabaseURL(s[0], s[1]); err != nil {
			return store.Config{}, err
		}
	}
	keys, err := c.sealKeys()
	return store.Config{URL: c.DatabaseURL, URLs: books, MaxConns: c.MaxConns, SealKeys: keys}, err
}

// checkDatabaseURL judges a URL's shape; its error doesn't quote it (I-26).
func checkDatabaseURL(name, text string) error {
	u, err := url.Parse(text)
	if text != "" && (err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Host == "" && !u.Query().Has("host")) {
		return wrong(name, "is not a URL postgres://role:password@host:port/database")
	}
	return nil
}

// parseSealKeys reads "id:base64,id:base64"; its errors quote nothing (I-26).
func parseSealKeys(text string) (store.SealKeys, error) {
	keys := store.SealKeys{Keys: map[string][]byte{}}
	if text == "" {
		return keys, wrong("PAYSAGA_SEAL_KEYS", "is missing: make a key by  echo \"k1:$(head -c 32 /dev/urandom | base64 -w0)\"  and keep it safe: without it sealed data is lost")
	}
	for i, entry := range strings.Split(text, ",") {
		name, encoded, _ := strings.Cut(strings.TrimSpace(entry), ":")
		key, err := base64.StdEncoding.DecodeString(encoded)
		switch {
		case name == "" || err != nil || len(key) != 32:
			return keys, wrong("PAYSAGA_SEAL_KEYS", fmt.Sprintf("is wrong: entry %d must be an id, a colon and 32 bytes in base64", i+1))
		case keys.Keys[name] != nil:
			return keys, wrong("PAYSAGA_SEAL_KEYS", fmt.Sprintf("is wrong: entry %d has the id of an earlier one", i+1))
		case i == 0:
			keys.Current = name
		}
		keys.Keys[name] = key
	}
	return keys, nil
}

// temporalConfig is where the Temporal server is.
type temporalConfig struct {
	Address    string `name:"temporal-address" setting:"PAYSAGA_TEMPORAL_ADDRESS" default:"127.0.0.1:7233" help:"The Temporal server's frontend, host:port."`
	Namespace  string `name:"temporal-namespace" setting:"PAYSAGA_TEMPORAL_NAMESPACE" default:"paysaga" help:"The Temporal namespace; it has paysaga's search attributes."`
	APIKey     string `name:"temporal-api-key" setting:"PAYSAGA_TEMPORAL_API_KEY" secret:"all" placeholder:"KEY" help:"The API key of a server that asks for one; it implies TLS."`
	TLS        bool   `name:"temporal-tls" setting:"PAYSAGA_TEMPORAL_TLS" help:"Speak TLS with the server."`
	CACert     string `name:"temporal-tls-ca" setting:"PAYSAGA_TEMPORAL_TLS_CA" placeholder:"FILE" help:"The certificates, in PEM, that sign the server's; by default the system's."`
	ClientCert string `name:"temporal-tls-cert" setting:"PAYSAGA_TEMPORAL_TLS_CERT" placeholder:"FILE" help:"Our certificate, in PEM, for a server that asks for one."`
	ClientKey  string `name:"temporal-tls-key" setting:"PAYSAGA_TEMPORAL_TLS_KEY" placeholder:"FILE" help:"The private key of our certificate, in PEM."`
}

// tls is nil for a plain connection.
func (c temporalConfig) tls() (*tls.Config, error) {
	if !c.TLS && c.APIKey == "" && c.CACert == "" && c.ClientCert == "" {
		return nil, nil
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CACert != "" {
		pem, err := os.ReadFile(c.CACert)
		if err != nil {
			return nil, wrong("PAYSAGA_TEMPORAL_TLS_CA", "can't be read: "+err.Error())
		}
		if conf.RootCAs = x509.NewCertPool(); !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, wrong("PAYSAGA_TEMPORAL_TLS_CA", "holds no certificate in PEM")
		}
	}
	if c.ClientCert != "" {
		pair, err := tls.LoadX509KeyPair(c.ClientCert, c.ClientKey)
		if err != nil {
			return nil, wrong("PAYSAGA_TEMPORAL_TLS_CERT", "and PAYSAGA_TEMPORAL_TLS_KEY are not a certificate and its key")
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
}

func (c temporalConfig) check() error {
	if err := checkAddress("PAYSAGA_TEMPORAL_ADDRESS", c.Address); err != nil {
		return err
	}
	if c.Namespace == "" {
		return wrong("PAYSAGA_TEMPORAL_NAMESPACE", "must not be empty")
	}
	_, err := c.tls()
	return err
}

// apiConfig is the HTTP front.
type apiConfig struct {
	HTTPAddress string        `name:"http-address" setting:"PAYSAGA_HTTP_ADDRESS" default:":8080" help:"Where the API listens, host:port."`
	Deadline    time.Duration `name:"deadline" setting:"PAYSAGA_DEADLINE" default:"3s" help:"How long a POST waits for a payment's first stable state before it answers 202. Keep it below the time-outs of clients and proxies."`
	LoginRate   float64       `name:"login-rate" setting:"PAYSAGA_LOGIN_RATE" default:"20" help:"How many requests about log-ins an address may make per second, in the long run; ten times as many at once. Behind a proxy all come from its address: set it high, and limit at the proxy."`
}

func (c apiConfig) check() error {
	if !(c.LoginRate > 0 && c.LoginRate <= 1e6) {
		return wrong("PAYSAGA_LOGIN_RATE", "must be more than nothing and at most a million per second, 20 for example")
	}
	if c.Deadline <= 0 {
		return wrong("PAYSAGA_DEADLINE", "must be more than nothing, 3s for example")
	}
	return checkAddress("PAYSAGA_HTTP_ADDRESS", c.HTTPAddress)
}

// sagaConfig is what the API and the workers have to agree on.
type sagaConfig struct {
	Pace      string `name:"pace" setting:"PAYSAGA_PACE" enum:"production,drill" default:"production" help:"How patient sagas are: drill asks again within seconds, for tests and demos."`
	PublicURL string `name:"public-url" setting:"PAYSAGA_PUBLIC_URL" placeholder:"URL" help:"How channels reach the API for their callbacks, https://pay.example.com. Without it they are polled only."`
}

func (c sagaConfig) pace() workflows.Pace {
	if c.Pace == "drill" {
		return workflows.Drill
	}
	return workflows.Production
}

func (c sagaConfig) check() error {
	u, err := url.Parse(c.PublicURL)
	if c.PublicURL != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.HasSuffix(c.PublicURL, "/")) {
		return wrong("PAYSAGA_PUBLIC_URL", "is not a URL like https://pay.example.com, without a slash at its end")
	}
	return nil
}

// workConfig is how much a process works on at once.
type workConfig struct {
	CallsPerChannel int                `name:"calls-per-channel" setting:"PAYSAGA_CALLS_PER_CHANNEL" default:"32" help:"The most calls under way at one channel, per process."`
	ChannelRates    map[string]float64 `name:"channel-rates" setting:"PAYSAGA_CHANNEL_RATES" placeholder:"stripe=25;…" help:"The most calls per second at a channel, over all processes: Temporal's server keeps it. Calls of the express lane are bounded by their account's own limits alone."`
	LedgerSteps     int                `name:"ledger-steps" setting:"PAYSAGA_LEDGER_STEPS" default:"16" help:"The most regular database steps under way. No more than database connections."`
	Sagas           int                `name:"sagas" setting:"PAYSAGA_SAGAS" default:"256" help:"The most workflow tasks under way."`
	StickyCache     int                `name:"sticky-cache" setting:"PAYSAGA_STICKY_CACHE" default:"10000" help:"How many open sagas are kept in memory; those beyond are replayed from their history."`
	ExpressTimeout  time.Duration      `name:"express-timeout" setting:"PAYSAGA_EXPRESS_TIMEOUT" default:"1200ms" help:"The longest channel call on the express lane; below 2s."`
	CallTimeout     time.Duration      `name:"call-timeout" setting:"PAYSAGA_CALL_TIMEOUT" default:"10s" help:"The longest channel call on the standard lane; below 15s."`
	StopTimeout     time.Duration      `name:"stop-timeout" setting:"PAYSAGA_STOP_TIMEOUT" default:"30s" help:"How long a stop waits for what is under way."`
	AuditEvery      time.Duration      `name:"audit-every" setting:"PAYSAGA_AUDIT_EVERY" default:"1h" help:"How often a worker checks the books; 0 turns it off."`
	BankEvery       time.Duration      `name:"bank-every" setting:"PAYSAGA_BANK_EVERY" default:"30s" help:"How often the folders that are exchanged with banks are worked through; 0 never. On a machine that has none of the folders it is 0."`
	SettleEvery     time.Duration      `name:"settle-every" setting:"PAYSAGA_SETTLE_EVERY" default:"1h" help:"How often vested rebates are settled, by a Temporal Schedule of each book that is made once and can be changed there; 0 makes none."`
	CheckpointDir   string             `name:"checkpoint-dir" setting:"PAYSAGA_CHECKPOINT_DIR" placeholder:"DIR" help:"Where a worker leaves a signed checkpoint of each book every day, after it has walked the chain. By default nowhere."`
	checkpointKey   `embed:""`
	noticeConfig    `embed:""`
}

func (c workConfig) check(maxConns int) error {
	switch {
	case c.CallsPerChannel < 1:
		return wrong("PAYSAGA_CALLS_PER_CHANNEL", "must be 1 or more")
	case slices.ContainsFunc(slices.Collect(maps.Values(c.ChannelRates)), func(r float64) bool { return r <= 0 }):
		return wrong("PAYSAGA_CHANNEL_RATES", "must be like stripe=25, with rates above 0")
	case c.LedgerSteps < 1:
		return wrong("PAYSAGA_LEDGER_STEPS", "must be 1 or more")
	case c.Sagas < 1:
		return wrong("PAYSAGA_SAGAS", "must be 1 or more")
	case c.StickyCache < 1:
		return wrong("PAYSAGA_STICKY_CACHE", "must be 1 or more")
	case c.LedgerSteps > maxConns:
		return wrong("PAYSAGA_LEDGER_STEPS", "must not exceed PAYSAGA_DATABASE_MAX_CONNS")
	case c.ExpressTimeout <= 0 || c.ExpressTimeout >= 2*time.Second:
		return wrong("PAYSAGA_EXPRESS_TIMEOUT", "must be below 2s: the step itself ends then")
	case c.CallTimeout <= 0 || c.CallTimeout >= 15*time.Second:
		return wrong("PAYSAGA_CALL_TIMEOUT", "must be below 15s: the step itself ends then")
	case c.StopTimeout < 0:
		return wrong("PAYSAGA_STOP_TIMEOUT", "must not be negative")
	case c.CheckpointDir != "" && c.CheckpointKey == "":
		return wrong("PAYSAGA_CHECKPOINT_KEY", "is missing: the key that signs checkpoints, from 'paysaga operator create'")
	case c.BankEvery != 0 && c.BankEvery < time.Second:
		return wrong("PAYSAGA_BANK_EVERY", "must be 0, or a second or more")
	case c.SettleEvery != 0 && c.SettleEvery < time.Minute:
		return wrong("PAYSAGA_SETTLE_EVERY", "must be a minute or more, or 0")
	case c.AuditEvery < 0:
		return wrong("PAYSAGA_AUDIT_EVERY", "must not be negative")
	}
	return nil
}

func checkAddress(name, address string) error {
	if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
		return wrong(name, "is not host:port or :port")
	}
	return nil
}
