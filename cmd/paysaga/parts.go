package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.temporal.io/sdk/client"
	tlog "go.temporal.io/sdk/log"

	"paysaga/channels"
	"paysaga/channels/alipay"
	"paysaga/channels/bank"
	"paysaga/channels/paypal"
	"paysaga/channels/sandbox"
	"paysaga/channels/stripe"
	"paysaga/channels/wechatpay"
	"paysaga/channels/wire"
	"paysaga/domain/fault"
	"paysaga/store"
	"paysaga/workers"
)

// registry is every channel of this build. A new channel gets its line here.
func registry() channels.Registry {
	calls := wire.New(wire.Config{Timeout: 15 * time.Second}) // the steps' own time-outs are shorter
	return channels.NewRegistry(alipay.New(calls), bank.New(openBankFolder), paypal.New(calls), sandbox.New(calls), stripe.New(calls), wechatpay.New(calls))
}

// metricsOf is a registry with what every process shows.
func metricsOf(role string) *prometheus.Registry {
	r := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "paysaga_build_info", Help: "The version of this build, and its role.",
		ConstLabels: prometheus.Labels{"version": version().Version, "commit": version().Commit, "role": role}})
	build.Set(1)
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), build)
	return r
}

// dialTemporal makes the one client of a process. It connects when it is first
// used: a Temporal server that is down must not keep the API from receiving.
func dialTemporal(c temporalConfig, log *slog.Logger, metrics prometheus.Registerer) (client.Client, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	o := client.Options{HostPort: c.Address, Namespace: c.Namespace, Identity: identity(), Logger: tlog.NewStructuredLogger(log)}
	if metrics != nil {
		o.MetricsHandler = workers.NewMetrics(metrics)
	}
	if c.APIKey != "" {
		o.Credentials = client.NewAPIKeyStaticCredentials(c.APIKey)
	}
	var err error
	if o.ConnectionOptions.TLS, err = c.tls(); err != nil {
		return nil, err
	}
	return client.NewLazyClient(o)
}

// identity is who polls, in the Web UI.
func identity() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("paysaga@%s:%d", host, os.Getpid())
}

// openStore opens the database for a command that needs it now.
func openStore(ctx context.Context, c databaseConfig) (*store.Store, error) {
	conf, err := c.store()
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	return store.Open(ctx, conf)
}

// retry does something until it works or ctx ends, and says once in a while
// that it still doesn't. Only what may work later is tried again.
func retry(ctx context.Context, log *slog.Logger, what string, do func(context.Context) error) error {
	pause, said := 250*time.Millisecond, time.Time{}
	for {
		err := do(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if kind := fault.Of(err); kind == fault.KindInvalid {
			return err
		}
		if time.Since(said) > 30*time.Second {
			log.Warn(what+" can't be reached yet; trying on", "error", err.Error())
			said = time.Now()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, 5*time.Second)
	}
}
