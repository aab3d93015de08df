package main

import (
	"context"
	"fmt"
	"slices"

	"go.temporal.io/sdk/worker"

	"paysaga/workers"
)

func (w *work) serves(queue string) bool { return w.queues == nil || slices.Contains(w.queues, queue) }

// run starts the workers as soon as Temporal lets it, and stops them once the
// requests are drained: those may wait for a saga of this very process.
func (w *work) run(ctx context.Context, p *process, drained <-chan struct{}) {
	worker.SetStickyWorkflowCacheSize(w.StickyCache)
	queues := w.queues
	if queues == nil {
		queues = workers.AllQueues(w.steps)
	}
	var set workers.Set
	err := retry(ctx, p.log, "Temporal", func(context.Context) (err error) {
		set, err = workers.New(workers.Config{Client: p.temporal, Steps: w.steps, Queues: queues, CallsPerChannel: w.CallsPerChannel,
			ChannelRates: w.ChannelRates, LedgerSteps: w.LedgerSteps, Sagas: w.Sagas, StopTimeout: w.StopTimeout,
			OnFatal: func(err error) { p.fail(fmt.Errorf("a worker can't go on: %w", err)) }})
		if err != nil {
			return err
		}
		return set.Start()
	})
	if err != nil {
		p.fail(err)
		return
	}
	p.log.Info("working", "queues", queues)
	<-drained
	set.Stop()
}
