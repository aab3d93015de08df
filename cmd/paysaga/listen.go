package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"paysaga/api/client"
	"paysaga/domain/trade"
)

// listenCommand is a merchant's endpoint for the developer's machine: it registers itself, shows what it is told, and is gone
// again at ctrl-C.
type listenCommand struct {
	Address string   `name:"address" default:"127.0.0.1:9000" help:"Where to listen, host:port. 'paysaga dev' lets endpoints have the ports 3000, 8000, 8888 and 9000 of this machine."`
	API     string   `name:"api" default:"http://127.0.0.1:8080" placeholder:"URL" help:"Where paysaga's API is."`
	Key     string   `name:"key" setting:"PAYSAGA_LISTEN_KEY" secret:"all" placeholder:"KEY" help:"The merchant's API key. By default that of the demo merchant of 'paysaga dev'."`
	State   string   `setting:"PAYSAGA_STATE" default:".paysaga" placeholder:"FOLDER" help:"The folder of 'paysaga dev'."`
	Events  []string `name:"events" placeholder:"TYPE,…" help:"What to be told of, payment.succeeded or payment.* for example. By default everything."`
}

// Run listens until a signal comes.
func (c *listenCommand) Run(a *app) error {
	if err := c.demoKey(); err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(a.ctx, "tcp", c.Address)
	if err != nil {
		return fmt.Errorf("can't listen on %s: %w", c.Address, err)
	}
	api, err := client.NewClientWithResponses(c.API, client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+c.Key)
		return nil
	}))
	if err != nil {
		return errors.Join(err, l.Close())
	}
	url := "http://" + l.Addr().String() + "/hooks"
	endpoint, secret, err := c.register(a.ctx, api, url)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	verify, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	srv := &http.Server{Handler: show(a.out, verify), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second}
	go func() { _ = srv.Serve(l) }()
	fmt.Fprintf(a.out, "%s is told of events at %s; ctrl-C ends it\n", endpoint, url)
	<-a.ctx.Done()
	rest, stop := context.WithTimeout(context.WithoutCancel(a.ctx), 5*time.Second)
	defer stop()
	_, err = api.DeleteWebhookEndpointWithResponse(rest, endpoint, nil)
	return errors.Join(err, srv.Shutdown(rest))
}

// demoKey takes the demo merchant's key if none was given.
func (c *listenCommand) demoKey() error {
	if c.Key != "" {
		return nil
	}
	var demo created
	raw, err := os.ReadFile(filepath.Join(c.State, "demo.json"))
	if err == nil {
		err = json.Unmarshal(raw, &demo)
	}
	if err != nil || demo.APIKey == "" {
		return wrong("PAYSAGA_LISTEN_KEY", "is missing: a merchant's API key, or run beside `paysaga dev`")
	}
	c.Key = demo.APIKey
	return nil
}

func (c *listenCommand) register(ctx context.Context, api *client.ClientWithResponses, url string) (endpoint, secret string, err error) {
	body := client.WebhookEndpointRequest{URL: url}
	if c.Events != nil {
		body.Events = &c.Events
	}
	made, err := api.CreateWebhookEndpointWithResponse(ctx, nil, body)
	switch {
	case err != nil:
		return "", "", fmt.Errorf("the API can't be reached: %w", err)
	case made.JSON201 != nil:
		return made.JSON201.ID, made.JSON201.Secret, nil
	case made.ApplicationProblemJSON409 == nil || made.ApplicationProblemJSON409.Code != "endpoint_exists":
		return "", "", fmt.Errorf("the API refused the endpoint: %s", made.Body)
	}
	// An earlier run left it, without a word at its end: its secret is lost.
	list, err := api.ListWebhookEndpointsWithResponse(ctx, nil)
	if err != nil {
		return "", "", err
	}
	if list.JSON200 != nil {
		for _, e := range list.JSON200.Data {
			if e.URL == url {
				if _, err := api.DeleteWebhookEndpointWithResponse(ctx, e.ID, nil); err != nil {
					return "", "", err
				}
				return c.register(ctx, api, url)
			}
		}
	}
	return "", "", fmt.Errorf("the API refused the endpoint: %s", made.Body)
}

// show answers 204 to what verifies, and shows each event on a line.
func show(out io.Writer, verify *standardwebhooks.Webhook) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 256<<10))
		var e trade.Event
		if err != nil || verify.Verify(body, r.Header) != nil || json.Unmarshal(body, &e) != nil {
			fmt.Fprintln(out, "refused: what came isn't signed with the endpoint's secret")
			http.Error(w, "bad signature", http.StatusUnauthorized)
			return
		}
		var short bytes.Buffer
		_ = json.Compact(&short, e.Data)
		fmt.Fprintf(out, "%s  %-26s %s #%d  %s\n", e.CreatedAt.Format("15:04:05.000"), e.Type, e.Object.ID, e.Object.Sequence, short.Bytes())
		w.WriteHeader(http.StatusNoContent)
	}
}
