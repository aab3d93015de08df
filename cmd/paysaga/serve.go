package main

import (
	"slices"
	"strings"

	"paysaga/workflows"
)

// serveCommand is api and worker in one process.
type serveCommand struct {
	databaseConfig `embed:""`
	temporalConfig `embed:""`
	apiConfig      `embed:""`
	sagaConfig     `embed:""`
	webhookConfig  `embed:""`
	workConfig     `embed:""`
	logConfig      `embed:""`
	childConfig    `embed:""`
}

// Run serves until a signal comes.
func (c *serveCommand) Run(a *app) error {
	if err := first(c.apiConfig.check, c.sagaConfig.check, c.webhookConfig.check, c.noticeConfig.check, func() error { return c.workConfig.check(c.MaxConns) }); err != nil {
		return err
	}
	return c.whileParentLives(a, func(a *app) error {
		p, err := newProcess(a, "serve", c.databaseConfig, c.temporalConfig, c.sagaConfig, c.webhookConfig, c.logConfig)
		if err != nil {
			return err
		}
		return p.run(a.ctx, &c.apiConfig, &work{workConfig: c.workConfig, queues: nil})
	})
}

// apiCommand runs the HTTP front alone; workers run elsewhere.
type apiCommand struct {
	databaseConfig `embed:""`
	temporalConfig `embed:""`
	apiConfig      `embed:""`
	sagaConfig     `embed:""`
	webhookConfig  `embed:""`
	logConfig      `embed:""`
	childConfig    `embed:""`
}

// Run serves until a signal comes.
func (c *apiCommand) Run(a *app) error {
	if err := first(c.apiConfig.check, c.sagaConfig.check, c.webhookConfig.check); err != nil {
		return err
	}
	return c.whileParentLives(a, func(a *app) error {
		p, err := newProcess(a, "api", c.databaseConfig, c.temporalConfig, c.sagaConfig, c.webhookConfig, c.logConfig)
		if err != nil {
			return err
		}
		return p.run(a.ctx, &c.apiConfig, nil)
	})
}

// workerCommand runs sagas and channel calls; the API runs elsewhere.
type workerCommand struct {
	Queues         []string `name:"queues" setting:"PAYSAGA_QUEUES" placeholder:"NAME,…" help:"The task queues to serve: payments, webhooks, channel-sandbox, channel-stripe. By default all of them. The relays run where payments is served."`
	MetricsAddress string   `name:"metrics-address" setting:"PAYSAGA_METRICS_ADDRESS" default:":9090" help:"Where /metrics and /healthz are shown, host:port."`
	databaseConfig `embed:""`
	temporalConfig `embed:""`
	sagaConfig     `embed:""`
	webhookConfig  `embed:""`
	workConfig     `embed:""`
	logConfig      `embed:""`
	childConfig    `embed:""`
}

// Run works until a signal comes.
func (c *workerCommand) Run(a *app) error {
	known := []string{workflows.TaskQueue, workflows.WebhookQueue}
	for _, channel := range registry().Names() {
		known = append(known, workflows.ChannelQueue(channel))
	}
	for _, q := range c.Queues {
		if !slices.Contains(known, q) {
			return wrong("PAYSAGA_QUEUES", "names the unknown queue "+q+"; there are "+strings.Join(known, ", "))
		}
	}
	if err := first(c.sagaConfig.check, c.webhookConfig.check, c.noticeConfig.check, func() error { return c.workConfig.check(c.MaxConns) },
		func() error { return checkAddress("PAYSAGA_METRICS_ADDRESS", c.MetricsAddress) }); err != nil {
		return err
	}
	return c.whileParentLives(a, func(a *app) error {
		p, err := newProcess(a, "worker", c.databaseConfig, c.temporalConfig, c.sagaConfig, c.webhookConfig, c.logConfig)
		if err != nil {
			return err
		}
		return p.run(a.ctx, nil, &work{workConfig: c.workConfig, queues: c.Queues, metricsAddress: c.MetricsAddress})
	})
}

// first runs checks in order and returns the first objection.
func first(checks ...func() error) error {
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}
