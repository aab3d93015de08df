package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/server_options"
)

// webUI is the Temporal Web UI in this process.
type webUI struct {
	server *server.Server
	url    string
}

// startUI returns once the UI answers. Its port must be free: the UI server ends
// the whole process when it is not.
func startUI(ctx context.Context, port int, temporalAddress, namespace string) (ui *webUI, err error) {
	defer func() {
		if r := recover(); r != nil { // its way to refuse a configuration
			ui, err = nil, fmt.Errorf("the Web UI does not start: %v", r)
		}
	}()
	if err := listenable(port); err != nil {
		return nil, fmt.Errorf("port %d cannot be used for the Web UI: %w; choose another with --ui-port", port, err)
	}
	s := server.NewServer(server_options.WithConfigProvider(uiConfig(port, temporalAddress, namespace)))
	failed := make(chan error, 1)
	go func() { failed <- s.Start() }()
	ui = &webUI{server: s, url: fmt.Sprintf("http://127.0.0.1:%d", port)}
	if err := ui.awaitHealthy(ctx, failed); err != nil {
		s.Stop()
		return nil, err
	}
	return ui, nil
}

func uiConfig(port int, temporalAddress, namespace string) *uiconfig.Config {
	return &uiconfig.Config{
		Host: "127.0.0.1", Port: port, TemporalGRPCAddress: temporalAddress,
		EnableUI: true, DefaultNamespace: namespace, HideLogs: true,
		DisableNewsFetch: true, NotifyOnNewVersion: false,
		// Operators send Updates from here, so writing is on; but ending a
		// workflow that holds money, one or many, is not a decision for a button.
		DisableWriteActions: false, WorkflowTerminateDisabled: true, BatchActionsDisabled: true,
		CORS: uiconfig.CORS{CookieInsecure: true}, // plain http on loopback
	}
}

func (u *webUI) awaitHealthy(ctx context.Context, failed <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.url+"/healthz", nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-failed:
			return fmt.Errorf("the Web UI stopped: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("the Web UI does not answer on %s", u.url)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (u *webUI) stop() { u.server.Stop() }
