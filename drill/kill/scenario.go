package kill

import (
	"context"
	"math/rand/v2"

	"paysaga/domain/payment"
)

// scenario is one way a payment goes.
type scenario struct {
	name   string
	weight int            // how often, against the others
	method map[string]any // how is paid
	manual bool           // only reserve
	brief  bool           // expires after a minute, the shortest there is
	// act is what the client, the customer or an operator does once the payment is
	// acknowledged.
	act func(ctx context.Context, l *load, o *order, r *rand.Rand) error
	// ends are the statuses that the payment may end in. What of them is right
	// the sandbox's book says.
	ends []payment.Status
}

func token(t string) map[string]any { return map[string]any{"type": "card_token", "token": t} }

var (
	qr       = map[string]any{"type": "qr"}
	redirect = map[string]any{"type": "redirect"}

	paid     = []payment.Status{payment.Paid}
	failed   = []payment.Status{payment.Failed}
	canceled = []payment.Status{payment.Canceled}
	raced    = []payment.Status{payment.Paid, payment.Canceled}
)

// Names of scenarios that the judge treats apart.
const (
	mismatchAccepted = "wrong_amount_accepted"
	mismatchRejected = "wrong_amount_rejected"
	mismatchLeft     = "wrong_amount_left" // parked, with its reason, and nobody comes
	expiring         = "qr_expiring"
)

// scenarios are all tokens and methods of the sandbox.
var scenarios = []scenario{
	{name: "ok", weight: 20, method: token("tok_ok"), ends: paid},
	{name: "ok_canceled", weight: 3, method: token("tok_ok"), act: cancels, ends: raced},
	{name: "authorize_canceled", weight: 6, method: token("tok_authorize"), act: cancels, ends: canceled},
	{name: "manual_canceled", weight: 3, method: token("tok_ok"), manual: true, act: cancels, ends: canceled},
	{name: "insufficient_funds", weight: 5, method: token("tok_insufficient_funds"), ends: failed},
	{name: "stolen", weight: 4, method: token("tok_stolen"), ends: failed},
	{name: "timeout_before", weight: 5, method: token("tok_timeout_before"), ends: paid},
	{name: "timeout_after", weight: 7, method: token("tok_timeout_after"), ends: paid},
	{name: "timeout_after_canceled", weight: 3, method: token("tok_timeout_after"), act: cancels, ends: raced},
	{name: "500", weight: 4, method: token("tok_500"), ends: paid},
	{name: "429", weight: 4, method: token("tok_429"), ends: paid},
	{name: "garbage", weight: 5, method: token("tok_garbage"), ends: paid},
	{name: "slow", weight: 5, method: token("tok_slow"), ends: paid},
	{name: mismatchAccepted, weight: 2, method: token("tok_wrong_amount"), act: resolves(payment.Accept), ends: paid},
	{name: mismatchRejected, weight: 2, method: token("tok_wrong_amount"), act: resolves(payment.Reject), ends: failed},
	{name: mismatchLeft, weight: 1, method: token("tok_wrong_amount"), act: parks},
	{name: "pending", weight: 5, method: token("tok_pending"), ends: paid},
	{name: "pending_canceled", weight: 3, method: token("tok_pending"), act: cancels, ends: raced},
	{name: "qr_paid", weight: 7, method: qr, act: pays, ends: paid},
	{name: "qr_canceled", weight: 3, method: qr, act: cancels, ends: canceled},
	{name: "qr_raced", weight: 3, method: qr, act: races, ends: raced},
	{name: expiring, method: qr, brief: true, ends: []payment.Status{payment.Expired}},
	{name: "redirect_paid", weight: 4, method: redirect, act: pays, ends: paid},
	{name: "redirect_declined", weight: 3, method: redirect, act: declines, ends: failed},
}

// draw picks a scenario by weight.
func draw(r *rand.Rand) scenario {
	total := 0
	for _, s := range scenarios {
		total += s.weight
	}
	n := r.IntN(total)
	for _, s := range scenarios {
		if n -= s.weight; n < 0 {
			return s
		}
	}
	return scenarios[0]
}

// hesitates: people aren't machines.
func hesitates(ctx context.Context, r *rand.Rand) error {
	return rest(ctx, jitter(r, 1500))
}

func cancels(ctx context.Context, l *load, o *order, r *rand.Rand) error {
	if r.IntN(2) == 0 { // else at once: the saga may just be charging
		if err := hesitates(ctx, r); err != nil {
			return err
		}
	}
	return l.client.cancel(ctx, o)
}

// pays waits until there is something to scan, and pays.
func pays(ctx context.Context, l *load, o *order, r *rand.Rand) error {
	return atChannel(ctx, l, o, r, false)
}

func declines(ctx context.Context, l *load, o *order, r *rand.Rand) error {
	return atChannel(ctx, l, o, r, true)
}

// atChannel acts on each page that is shown, until the end: after a "no" the
// next channel of the plan may show another.
func atChannel(ctx context.Context, l *load, o *order, r *rand.Rand, decline bool) error {
	for seen := ""; ; {
		p, err := l.client.watch(ctx, o, func(p payment.Public) bool {
			return p.Status.Terminal() || p.NextAction != nil && p.NextAction.URL != seen
		})
		if err != nil || p.Status.Terminal() {
			return err
		}
		seen = p.NextAction.URL
		if err := hesitates(ctx, r); err != nil {
			return err
		}
		if err := l.client.customer(ctx, o, decline); err != nil {
			return err
		}
	}
}

// races pays and cancels at the same time.
func races(ctx context.Context, l *load, o *order, r *rand.Rand) error {
	paying := make(chan error, 1)
	other := rand.New(rand.NewPCG(r.Uint64(), 1))
	go func() { paying <- pays(ctx, l, o, other) }()
	err := cancels(ctx, l, o, r)
	if second := <-paying; err == nil {
		err = second
	}
	return err
}

func isParked(p payment.Public) bool { return p.NeedsOperator && !p.InDoubt || p.Status.Terminal() }

// parks waits until the payment says that it waits for a person.
func parks(ctx context.Context, l *load, o *order, _ *rand.Rand) error {
	_, err := l.client.watch(ctx, o, isParked)
	return err
}

// resolves lets an operator decide about what is parked.
func resolves(d payment.Decision) func(context.Context, *load, *order, *rand.Rand) error {
	return func(ctx context.Context, l *load, o *order, r *rand.Rand) error {
		if err := parks(ctx, l, o, r); err != nil {
			return err
		}
		if err := hesitates(ctx, r); err != nil {
			return err
		}
		return l.operator.resolve(ctx, o, d)
	}
}
