package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/store"
)

// devCommand runs a whole paysaga on one machine, each part a process of its
// own, and ends all of them together.
type devCommand struct {
	State          string `setting:"PAYSAGA_STATE" default:".paysaga" placeholder:"FOLDER" help:"The folder of everything that outlives a run: database, settings, logs. Remove it to start anew."`
	Devstack       string `setting:"PAYSAGA_DEVSTACK" default:".build/devstack" placeholder:"FILE" help:"The devstack binary: PostgreSQL, the Temporal server and its Web UI in one. 'make devstack' builds it."`
	HTTPAddress    string `name:"http-address" setting:"PAYSAGA_HTTP_ADDRESS" default:":8080" help:"Where the API listens, host:port."`
	SandboxAddress string `name:"sandbox-address" setting:"PAYSAGA_SANDBOX_ADDRESS" default:":8090" help:"Where the sandbox listens, host:port."`
	FirstPayment   bool   `name:"first-payment" help:"Make a payment as soon as everything is up, print how long it took from the start, and stop."`
}

// Run starts everything, says how to use it, and waits for ctrl-C or for a part
// to end.
func (c *devCommand) Run(a *app) error {
	d, err := c.prepare(a)
	if err != nil {
		return err
	}
	ctx, fail := context.WithCancelCause(a.ctx)
	d.fail = fail
	defer d.stopAll()
	if err := d.up(ctx); err != nil {
		if a.ctx.Err() != nil {
			return nil // ctrl-C before it was up
		}
		return errors.Join(context.Cause(ctx), err)
	}
	if c.FirstPayment {
		return d.firstPayment(ctx)
	}
	d.welcome()
	<-ctx.Done()
	if a.ctx.Err() != nil {
		fmt.Fprintln(d.out)
		return nil
	}
	return context.Cause(ctx)
}

// dev is a running development stack.
type dev struct {
	*app
	c        devCommand
	began    time.Time
	api      string // the API's address for this machine
	stack    devstackReady
	demo     created
	children []*child
	fail     context.CancelCauseFunc
}

// devstackReady is the part of devstack's ready file that we need.
type devstackReady struct {
	PID             int    `json:"pid"`
	PostgresURL     string `json:"postgres_url"`
	AppURL          string `json:"app_url"`
	TemporalAddress string `json:"temporal_address"`
	Namespace       string `json:"namespace"`
	UIURL           string `json:"ui_url"`
}

// prepare finds out early what can't work.
func (c *devCommand) prepare(a *app) (*dev, error) {
	state, err := filepath.Abs(c.State)
	if err != nil {
		return nil, err
	}
	c.State = state
	if _, err := os.Stat(c.Devstack); err != nil {
		return nil, wrong("PAYSAGA_DEVSTACK", "names no binary ("+c.Devstack+"): run `make devstack` first; it takes minutes, once")
	}
	for name, address := range map[string]string{"PAYSAGA_HTTP_ADDRESS": c.HTTPAddress, "PAYSAGA_SANDBOX_ADDRESS": c.SandboxAddress} {
		if err := checkAddress(name, address); err != nil {
			return nil, err
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, wrong(name, "is "+address+", and that port is taken: stop what uses it, or choose another")
		}
		_ = l.Close()
	}
	if err := os.MkdirAll(filepath.Join(state, "log"), 0o755); err != nil {
		return nil, err
	}
	return &dev{app: a, c: *c, began: time.Now(), api: local(c.HTTPAddress)}, nil
}

// local is how this machine reaches what listens on address.
func local(address string) string {
	host, port, _ := net.SplitHostPort(address)
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// up starts the parts in the order in which they need each other.
func (d *dev) up(ctx context.Context) error {
	if err := d.startDevstack(ctx); err != nil {
		return err
	}
	return d.upOn(ctx)
}

// upOn starts the rest on a devstack that is up.
func (d *dev) upOn(ctx context.Context) error {
	if err := d.settle(); err != nil {
		return err
	}
	if err := store.Migrate(ctx, d.stack.PostgresURL, store.AppRole{}); err != nil {
		return err
	}
	if _, err := d.start("sandbox", d.self(), "sandbox", "--stop-with-stdin"); err != nil {
		return err
	}
	if _, err := d.start("serve", d.self(), "serve", "--stop-with-stdin"); err != nil {
		return err
	}
	if err := d.awaitHTTP(ctx, "the sandbox", local(d.c.SandboxAddress)+"/healthz"); err != nil {
		return err
	}
	if err := d.awaitHTTP(ctx, "the API", d.api+"/readyz"); err != nil {
		return err
	}
	return d.demoMerchant(ctx)
}

// settle writes the settings file that the children read, and every paysaga
// command that is run beside them. Seal keys are made once.
func (d *dev) settle() error {
	path := filepath.Join(d.c.State, "settings.json")
	old := map[string]string{}
	if raw, err := os.ReadFile(path); err == nil {
		if err := json.Unmarshal(raw, &old); err != nil {
			return fmt.Errorf("%s can't be read; it holds the seal keys, so mend it or remove the whole folder", path)
		}
	}
	keys := old["PAYSAGA_SEAL_KEYS"]
	if keys == "" {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // never fails: it ends the process instead
		keys = "dev:" + base64.StdEncoding.EncodeToString(key)
	}
	set := map[string]string{
		"PAYSAGA_SEAL_KEYS": keys, "PAYSAGA_DATABASE_URL": d.stack.AppURL, "PAYSAGA_OWNER_URL": d.stack.PostgresURL,
		"PAYSAGA_TEMPORAL_ADDRESS": d.stack.TemporalAddress, "PAYSAGA_TEMPORAL_NAMESPACE": d.stack.Namespace,
		"PAYSAGA_HTTP_ADDRESS": d.c.HTTPAddress, "PAYSAGA_PUBLIC_URL": d.api, "PAYSAGA_PACE": "drill",
		"PAYSAGA_SANDBOX_ADDRESS": d.c.SandboxAddress, "PAYSAGA_SANDBOX_BOOK": filepath.Join(d.c.State, "sandbox"),
		// Endpoints of this machine, see 'paysaga listen'.
		"PAYSAGA_WEBHOOK_PORTS": "80,443,3000,8000,8888,9000", "PAYSAGA_WEBHOOK_ALLOW_NETWORKS": "127.0.0.0/8,::1/128", "PAYSAGA_WEBHOOK_PLAINTEXT": "true",
		"PAYSAGA_SANDBOX_BASE_URL": local(d.c.SandboxAddress), "PAYSAGA_STATE": d.c.State, "PAYSAGA_LOG_FORMAT": "text",
	}
	return writeJSON(path, set)
}

// writeJSON replaces a file that only we may read, in one move.
func writeJSON(path string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(raw, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// self is this binary.
func (d *dev) self() string {
	if path, err := os.Executable(); err == nil {
		return path
	}
	return os.Args[0]
}

// demoMerchant makes the demo merchant, unless the key that stands in the state
// folder still works.
func (d *dev) demoMerchant(ctx context.Context) error {
	set := &settings{}
	if err := set.load([]string{"--settings=" + filepath.Join(d.c.State, "settings.json")}); err != nil {
		return err
	}
	s, err := openStore(ctx, databaseConfig{DatabaseURL: d.stack.AppURL, MaxConns: 2, sealConfig: sealConfig{SealKeys: set.file["PAYSAGA_SEAL_KEYS"], Envelope: true}})
	if err != nil {
		return err
	}
	defer s.Close()
	path := filepath.Join(d.c.State, "demo.json")
	if raw, err := os.ReadFile(path); err == nil && json.Unmarshal(raw, &d.demo) == nil {
		_, err := s.Authenticate(ctx, d.demo.APIKey)
		if err == nil || fault.Of(err) != fault.KindDenied {
			return err
		}
	}
	d.demo, err = createMerchant(ctx, s, store.Merchant{Book: id.Test, Name: "Demo", Terms: payment.Terms{FeeBasisPoints: 60, FeeOnRefund: "return", Zone: time.UTC}},
		local(d.c.SandboxAddress))
	if err != nil {
		return err
	}
	return writeJSON(path, d.demo)
}

// demoBody is a first payment.
const demoBody = `{"order":{"reference":"A-1001","type":"purchase"},"amount":"12.34","currency":"CNY","method":{"type":"card_token","token":"tok_ok"}}`

// welcome says what runs where, and what to do next.
func (d *dev) welcome() {
	fmt.Fprintf(d.out, `
paysaga is up, after %.1f s.

  API            %s      reference: %s/docs
  Temporal UI    %s/namespaces/%s/workflows
  sandbox        %s      its book: %s/admin/book
  merchant       %s  (Demo, test book)
  API key        %s
  logs           %s

A first payment:

  curl -s %s/v1/payments \
    -H 'Authorization: Bearer %s' \
    -H "Idempotency-Key: $(date +%%s%%N)" -H 'Content-Type: application/json' \
    -d '%s'

Be told of what happens, in another shell (it registers http://127.0.0.1:9000/hooks by POST /v1/webhook_endpoints, and verifies each message):

  %s listen

ctrl-C stops everything; the state in %s stays.
`, time.Since(d.began).Seconds(), d.api, d.api, d.stack.UIURL, d.stack.Namespace, local(d.c.SandboxAddress), local(d.c.SandboxAddress),
		d.demo.MerchantID, d.demo.APIKey, filepath.Join(d.c.State, "log"), d.api, d.demo.APIKey, strings.ReplaceAll(demoBody, "A-1001", `A-'$RANDOM'`), d.self(), d.c.State)
}
