package kill

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"paysaga/channels/sandbox/server"
	"paysaga/domain/payment"
	"paysaga/workflows"
)

// Facts are all that is known after a round, from four books that know nothing
// of each other: the clients', ours, the sandbox's, and Temporal's.
type Facts struct {
	Orders  []Order
	Rows    []Row
	Cases   []Exception
	Waiting Waiting
	Charges []server.Charge
	Summary server.Summary
	Open    []string // workflow ids of open sagas
	Failed  []string // workflow ids of sagas that ended other than by completing
	Broken  []string // what `paysaga audit --full` finds
	Ended   []string // processes that ended by themselves
}

// Violation is a promise that was broken.
type Violation struct {
	ID      string `json:"id"` // of the invariant
	Payment string `json:"payment,omitempty"`
	What    string `json:"what"`
}

func (v Violation) String() string { return strings.TrimSpace(v.ID + " " + v.Payment + " " + v.What) }

// trial is one judgement in the making.
type trial struct {
	Facts
	rows    map[string]Row
	charges map[string][]server.Charge // by payment
	open    map[string]bool            // payments with an open saga
	orders  map[string]Order           // by payment
	found   []Violation
}

// Judge returns every promise that the facts break. It reads nothing else.
func Judge(f Facts) []Violation {
	t := &trial{Facts: f, rows: map[string]Row{}, charges: map[string][]server.Charge{}, open: map[string]bool{}, orders: map[string]Order{}}
	for _, r := range f.Rows {
		t.rows[r.ID] = r
	}
	for _, c := range f.Charges {
		id, _, _ := strings.Cut(c.Key, ":")
		t.charges[id] = append(t.charges[id], c)
	}
	for _, id := range f.Open {
		t.open[strings.TrimPrefix(id, workflows.PaymentID(""))] = true
	}
	for _, o := range f.Orders {
		t.order(o)
	}
	for _, r := range f.Rows {
		t.row(r)
	}
	t.channel()
	t.rest()
	slices.SortStableFunc(t.found, func(a, b Violation) int { return cmp.Compare(a.ID, b.ID) })
	return t.found
}

func (t *trial) breaks(id, payment, format string, args ...any) {
	t.found = append(t.found, Violation{ID: id, Payment: payment, What: fmt.Sprintf(format, args...)})
}

// order holds what a client was told against our book.
func (t *trial) order(o Order) {
	for _, c := range o.Complaints {
		id, what, ok := strings.Cut(c, ": ")
		if !ok || !strings.HasPrefix(id, "I-") {
			id, what = "contract", c
		}
		t.breaks(id, o.ID, "%s (%s)", what, o.Key)
	}
	r, stored := t.rows[o.ID]
	switch {
	case o.ID == "":
		t.breaks("I-19", "", "%s (%s) was never acknowledged", o.Key, o.Scenario)
		return
	case !stored:
		t.breaks("I-19", o.ID, "it was acknowledged, and there is no such payment (%s)", o.Key)
		return
	case t.orders[o.ID].Key != "":
		t.breaks("I-20", o.ID, "two keys stand for it: %s and %s", o.Key, t.orders[o.ID].Key)
	case o.RepeatID != o.ID:
		t.breaks("I-20", o.ID, "a repeat of %s answers with %q", o.Key, o.RepeatID)
	}
	t.orders[o.ID] = o
	switch {
	case r.Reference != o.Reference || r.Amount != o.AmountMinor || r.MerchantID != o.Merchant:
		t.breaks("I-20", o.ID, "it is stored as another request: %s of %d", r.Reference, r.Amount)
	case r.Sequence < o.Sequence:
		t.breaks("I-19", o.ID, "a client saw its move %d, and it stands at %d", o.Sequence, r.Sequence)
	case o.Status != "" && o.Status.Terminal() && r.Status != o.Status:
		t.breaks("I-15", o.ID, "a client saw it %s, and it is %s", o.Status, r.Status)
	}
}

// row holds a payment against what it was meant to become, the sandbox's book
// and Temporal's.
func (t *trial) row(r Row) {
	s := scenarioOf(t.orders[r.ID].Scenario)
	left := s.name == mismatchLeft && r.Status == payment.Processing && r.Parked != ""
	switch {
	case !r.Status.Terminal() && !left:
		t.breaks("I-18", r.ID, "stuck: %s %s (%s)", r.Status, r.Parked, s.name)
	case !left && len(s.ends) > 0 && !slices.Contains(s.ends, r.Status):
		t.breaks("outcome", r.ID, "%s ended as %s %s", s.name, r.Status, r.DeclineCode)
	}
	switch {
	case !r.Status.Terminal() && !t.open[r.ID]:
		t.breaks("I-18", r.ID, "it is %s and has no open saga", r.Status)
	case r.Status.Terminal() && t.open[r.ID]:
		t.breaks("I-18", r.ID, "it is %s and its saga is still open", r.Status)
	}
	if r.InDoubt {
		t.breaks("I-14", r.ID, "it is still in doubt")
	}
	t.money(r, left)
}

// money holds a payment against what the sandbox took (I-09, I-10).
func (t *trial) money(r Row, left bool) {
	var money []server.Charge
	for _, c := range t.charges[r.ID] {
		if c.State == server.Succeeded || c.State == server.Authorized {
			money = append(money, c)
		}
	}
	if len(money) > 1 {
		t.breaks("I-09", r.ID, "it was charged %d times", len(money))
		return
	}
	if len(money) == 0 {
		if r.Status == payment.Paid || r.Captured != 0 || left {
			t.breaks("I-10", r.ID, "it is %s, and the sandbox took nothing", r.Status)
		}
		return
	}
	c := money[0]
	mismatch := c.CapturedMinor != r.Amount
	switch {
	case c.Currency != "CNY" || c.AskedMinor != r.Amount:
		t.breaks("I-10", r.ID, "the sandbox was asked for %d %s, and it is of %d", c.AskedMinor, c.Currency, r.Amount)
	case c.State == server.Authorized:
		t.breaks("I-10", r.ID, "it is %s, and the sandbox still holds an authorization", r.Status)
	case r.Status == payment.Paid && (c.CapturedMinor != r.Captured || mismatch && t.mismatch(r.ID) != string(payment.Accept)):
		t.breaks("I-10", r.ID, "it has captured %d, the sandbox %d", r.Captured, c.CapturedMinor)
	case r.Status == payment.Paid, left && mismatch:
	case mismatch && r.Status == payment.Failed && t.mismatch(r.ID) == "return" && c.RefundedMinor == c.CapturedMinor: // rejected, and given back
	default:
		t.breaks("I-10", r.ID, "it is %s %s, and the sandbox took %d", r.Status, r.DeclineCode, c.CapturedMinor)
	}
}

// standing is an open case.
const standing = "open"

// mismatch is how the case of a payment's mismatch stands: open, or decided.
// Empty: there is none.
func (t *trial) mismatch(id string) string {
	for _, c := range t.Cases {
		if c.PaymentID == id && c.Kind == "amount_mismatch" {
			return cmp.Or(c.Decision, standing)
		}
	}
	return ""
}

// channel looks for charges that nobody here stands for (I-13), and for what
// the sandbox itself finds paid twice.
func (t *trial) channel() {
	for id, list := range t.charges {
		if _, stored := t.rows[id]; !stored {
			t.breaks("I-13", id, "the sandbox has %d charges of it, and we no payment", len(list))
		}
	}
	if t.Summary.PaidTwice != 0 {
		t.breaks("I-09", "", "the sandbox counts %d references that were paid twice", t.Summary.PaidTwice)
	}
}

// rest is everything that belongs to no single payment.
func (t *trial) rest() {
	for _, c := range t.Cases {
		if c.Kind != "amount_mismatch" || !strings.HasPrefix(t.orders[c.PaymentID].Scenario, "wrong_amount") {
			t.breaks("I-17", c.PaymentID, "there is a case nobody planned: %s", c.Kind)
		}
	}
	if w := t.Waiting; w != (Waiting{}) {
		t.breaks("I-23", "", "not left or not settled: %d events, %d callbacks, %d starts, %d cancels, %d refunds, %d cases",
			w.Events, w.Callbacks, w.Starts, w.Cancels, w.Refunds, w.Cases)
	}
	for id := range t.open {
		of, isCase := strings.CutPrefix(id, "case/")
		of, _, _ = strings.Cut(of, "/")
		switch _, stored := t.rows[of]; {
		case !stored:
			t.breaks("I-18", id, "a saga is open for no payment")
		case isCase && t.mismatch(of) != standing:
			t.breaks("I-18", of, "its case is settled, and the case's saga is open")
		}
	}
	for _, id := range t.Failed {
		t.breaks("I-18", id, "its saga ended other than by completing")
	}
	for _, line := range t.Broken {
		t.breaks("audit", "", "%s", line)
	}
	for _, line := range t.Ended {
		t.breaks("process", "", "%s", line)
	}
}

func scenarioOf(name string) scenario {
	for _, s := range scenarios {
		if s.name == name {
			return s
		}
	}
	return scenario{name: name}
}
