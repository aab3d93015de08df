package cells

import (
	"context"
	"fmt"
	"strings"
	"time"

	sdk "go.temporal.io/api/sdk/v1"

	"paysaga/domain/payment"
	"paysaga/workflows"
)

func (r *Run) rest(d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	}
}

func (r *Run) state() state { return (*r.house.watching.Load())[r.merchant.ID] }

// Until waits until the rows are as wanted.
func (r *Run) Until(what string, wanted func(state) bool) error {
	for !wanted(r.state()) {
		select {
		case <-r.house.next():
		case <-r.ctx.Done():
			return fmt.Errorf("it never came to this: %s", what)
		}
		if err := r.nudge(); err != nil {
			return err
		}
	}
	return nil
}

// done says whether a state needs nobody any more but those that it names.
func done(s state) bool {
	if len(s.Payments)+len(s.Transfers) == 0 || s.Waiting > 0 {
		return false
	}
	for _, p := range s.Payments {
		status := payment.Status(p.Status)
		parked := p.Parked != "" && !p.InDoubt
		if p.Due || p.InDoubt || !status.Terminal() && status != payment.Reserved && !parked {
			return false
		}
	}
	for _, f := range s.Refunds {
		if f.Due || f.InDoubt || f.Status == "processing" && f.Parked == "" {
			return false
		}
	}
	for _, y := range s.Payouts {
		if y.Due || y.InDoubt || y.Status == "processing" && y.Parked == "" {
			return false
		}
	}
	for _, t := range s.Transfers {
		if t.Due || t.Status == "processing" {
			return false
		}
	}
	for _, c := range s.Cases {
		if c.Due || c.State == "decided" && c.Parked == "" {
			return false
		}
	}
	return true
}

// settle waits until everything is terminal, parked, or waits for somebody; whether that took longer than I-18 allows is judged.
func (r *Run) settle() state {
	ctx, stop := context.WithTimeout(r.ctx, patience)
	defer stop()
	for quiet := 0; quiet < 2; { // twice in a row: something may just be on its way from one to the other
		select {
		case <-r.house.next():
		case <-ctx.Done():
			return r.state()
		}
		if done(r.state()) && r.sagasAgree() {
			quiet++
			continue
		}
		quiet = 0
		if err := r.nudge(); err != nil {
			return r.state()
		}
	}
	return r.state()
}

// sagas are the workflows of what is there, and whether each has to be open.
func sagas(s state) map[string]bool {
	list := map[string]bool{}
	for _, p := range s.Payments {
		list[workflows.PaymentID(p.ID)] = !payment.Status(p.Status).Terminal()
	}
	for _, f := range s.Refunds {
		list["refund/"+f.ID] = f.Status == "processing"
	}
	for _, y := range s.Payouts {
		list[workflows.PayoutID(y.ID)] = y.Status == "processing"
	}
	for _, t := range s.Transfers {
		list[workflows.TransferID(t.ID)] = t.Status == "processing"
	}
	for _, c := range s.Cases {
		list[c.ID] = c.State != "closed"
	}
	return list
}

// sagasAgree: each thing has ended if, and only if, its saga has.
func (r *Run) sagasAgree() bool {
	for workflowID, want := range sagas(r.state()) {
		open, err := r.open(workflowID)
		if err != nil || open != want {
			return false
		}
	}
	return true
}

func (r *Run) open(workflowID string) (bool, error) {
	ctx, stop := r.judging()
	defer stop()
	d, err := r.house.Stage.Client.DescribeWorkflowExecution(ctx, workflowID, "")
	if err != nil {
		return false, err
	}
	return d.WorkflowExecutionInfo.Status.String() == "Running", nil
}

// judging is for reading what is there, also after the run's own time is over.
func (r *Run) judging() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.ctx), readPatience)
}

// nudge is the operator: what a saga is parked for is gone by now, so it may go on. At most every two seconds.
func (r *Run) nudge() error {
	r.mu.Lock()
	due := time.Since(r.fate.asked) > 2*time.Second
	if due {
		r.fate.asked = time.Now()
	}
	r.mu.Unlock()
	if !due {
		return nil
	}
	for workflowID, open := range sagas(r.state()) {
		if !open {
			continue
		}
		if text, err := r.details(workflowID); err == nil && strings.Contains(text, "retry_now") {
			if r.house.Stage.UpdateWorkflow(workflowID, workflows.UpdateRetry) == nil {
				r.house.count(func(t *Tally) { t.Nudges++ })
				r.nudged = true
			}
		}
	}
	return nil
}

// details are what operators see of a saga.
func (r *Run) details(workflowID string) (string, error) {
	ctx, stop := r.judging()
	defer stop()
	v, err := r.house.Stage.Client.QueryWorkflow(ctx, workflowID, "", "__temporal_workflow_metadata")
	if err != nil {
		return "", err
	}
	var meta sdk.WorkflowMetadata
	err = v.Get(&meta)
	return meta.CurrentDetails, err
}
