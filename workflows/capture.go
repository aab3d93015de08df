package workflows

import (
	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/domain/payment"
)

// CaptureNote names a received capture: ids only.
type CaptureNote struct {
	CaptureID string `json:"capture_id"`
}

func isCapture(_ workflow.Context, n CaptureNote) error {
	if n.CaptureID == "" {
		return invalid("capture_id is missing")
	}
	return nil
}

// onCapture wakes the run, and answers once every capture that was received by
// now is settled. Which one comes first is not the note's to say.
func (p *paymentSaga) onCapture(ctx workflow.Context, _ CaptureNote) (State, error) {
	p.wanted++
	mine := p.wanted
	err := workflow.Await(ctx, func() bool { return p.looked >= mine || p.terminal() })
	return p.state(), err
}

// captureAll settles the open captures, one after the other, in order of
// receipt.
func (p *paymentSaga) captureAll(ctx workflow.Context) {
	for !p.terminal() {
		heard := p.wanted
		var next activities.NextCapture
		p.commit(ctx, "find the next capture", steps.FindCapture, p.ref, &next)
		if next.Status != "" { // a run that was reset may be behind
			p.booked = next.Booked
		}
		if next.CaptureID == "" {
			p.looked = heard
			return
		}
		p.capture(ctx, next)
	}
}

// settleCaptures settles what is under way before the authorization ends: no
// capture is received any more, and the last of them is known (I-14). Runs from
// before there were captures have none.
func (p *paymentSaga) settleCaptures(ctx workflow.Context) {
	if workflow.GetVersion(ctx, "captures", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return
	}
	p.commit(ctx, "keep further captures out", steps.Fence, p.ref, nil)
	p.captureAll(ctx)
}

// capture carries one capture to its end. While its outcome is unknown it is
// sent again under the same key, for as long as it takes; a callback about the
// charge may tell first.
func (p *paymentSaga) capture(ctx workflow.Context, next activities.NextCapture) {
	p.tell(ctx, "capturing at "+p.opened.Channel+" under "+next.Key, "it is booked as the channel says")
	timers, stop := workflow.WithCancel(ctx)
	defer stop()
	late := workflow.NewTimerWithOptions(timers, p.pace.parkAfter, workflow.TimerOptions{Summary: "then a person is shown the open capture too"})
	doubted, flagged := next.Doubted, false
	for {
		a, ok := p.patiently(ctx, p.take(next.Key, doubted), func() bool {
			return p.gone() || p.terminal() || (!flagged && late.IsReady())
		})
		in := activities.BookCaptureInput{Ref: p.ref, CaptureID: next.CaptureID, Answer: a}
		switch {
		case p.terminal():
			return
		case !ok && p.gone():
			in.Answer, in.OfCharge = *p.heard, true
		case !ok:
			flagged = true
			p.flag(ctx, next.CaptureID, "a capture at "+p.opened.Channel+" is open for "+p.pace.parkAfter.String())
			continue
		case a.Verdict == payment.Declined && !a.Dead: // a try before may have got through: what became of the charge?
			in.OfCharge, in.Refused = true, true
			if in.Answer, ok = p.patiently(ctx, p.ask(false), p.terminal); !ok {
				return
			}
		}
		var out activities.CaptureBooked
		p.commit(ctx, "book the capture: "+string(a.Verdict), steps.BookCapture, in, &out)
		p.booked = out.Booked
		p.show(ctx)
		if out.Capture != payment.CaptureProcessing {
			p.doubt = p.doubt || (ok && a.Verdict == payment.Closed)
			return
		}
		doubted = true
	}
}

// take makes the capture of a key, for patiently.
func (p *paymentSaga) take(key string, doubted bool) func(workflow.Context) workflow.Future {
	in := activities.CaptureInput{CallInput: activities.CallInput{Ref: p.ref, Key: key}, Doubted: doubted}
	return func(ctx workflow.Context) workflow.Future {
		return workflow.ExecuteActivity(p.pace.ask(ctx, p.queue(), "capture "+key+" at "+p.opened.Channel), steps.Capture, in)
	}
}

// gone: a callback said that the authorization has ended, and how.
func (p *paymentSaga) gone() bool {
	return p.heard != nil && (p.heard.Verdict == payment.Succeeded || p.heard.Verdict == payment.Closed || p.heard.Dead)
}
