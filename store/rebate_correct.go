package store

import (
	"slices"

	"paysaga/domain/accrual"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/rebate"
)

// correct rates an order again, judged by its rebates, its counters and the budget under lock.
type correct struct {
	accrual.Correct
	book id.Book
}

func (c correct) chart() ledger.Chart { return ledger.Chart{Book: c.book, Currency: c.Order.Currency} }

func (c correct) claim(l *locks) {
	for _, a := range slices.Concat(c.Mine, c.Others) {
		l.rebates = append(l.rebates, a.ID)
	}
	l.caps = append(l.caps, c.Counters()...)
}

func (c correct) posts() posts {
	list := posts{accounts: []ledger.Account{c.chart().Budget(c.Rules.Campaign.ID)}}
	for _, a := range c.Mine {
		list.accounts = append(list.accounts, c.chart().RebatePending(a.Beneficiary))
		if a.Ordinals.Rated < id.MaxOrdinal {
			list.causes = append(list.causes, a.Cause(id.Accrue, a.Ordinals.Rated+1))
		}
	}
	for _, a := range c.Likely {
		list.accounts = append(list.accounts, c.chart().RebatePending(a.Beneficiary))
		list.causes = append(list.causes, a.Cause(id.Accrue, 1))
	}
	return list
}

var (
	rerateOrder = updating("rebate_orders", `order_id text, at timestamptz, rated smallint, past jsonb`, `order_id = n.order_id`,
		`due_at = n.at, tries = 0, rated = n.rated, past = CASE WHEN n.past IS NULL THEN t.past ELSE coalesce(t.past, '{}') || n.past END`)
	insertReratingLine = inserting("rerating_lines", `rerating_id text, cause text, order_id text, changed integer, made integer, more bigint,
		less bigint, at timestamptz`)
)

func (c correct) judge(w *work) error {
	for _, a := range slices.Concat(c.Mine, c.Others) {
		if _, err := w.rebateOf(a.Ref()); err != nil {
			return err
		}
	}
	left, err := w.balance(c.chart().Budget(c.Rules.Campaign.ID))
	if err != nil {
		return err
	}
	r, err := c.Rate(w.counted(c.Counters()), max(0, left))
	if err != nil {
		return err
	}
	w.short = w.short || r.Cut
	if r.Nothing() {
		return fault.Conflict("stale_state", "the version makes no difference to the order any more")
	}
	for _, m := range r.Changed {
		if err := w.correctRebate(m); err != nil {
			return err
		}
	}
	for _, a := range r.Made {
		if !slices.ContainsFunc(c.Likely, func(l accrual.Accrual) bool { return l.ID == a.ID }) {
			return fault.Conflict("stale_state", "the order earns something else than when it was read")
		}
		if err := w.promise(a); err != nil {
			return err
		}
	}
	if err := c.tell(w, r); err != nil {
		return err
	}
	return w.count(r.Takes)
}

func (w *work) correctRebate(m accrual.Moved) error {
	after, j, posted, err := m.Post(w.at)
	if err != nil {
		return err
	}
	if posted {
		w.late = append(w.late, j)
	}
	w.moveRebate(w.b.found.rebates.get(m.Before.ID), after, "rebate.corrected")
	return nil
}

// tell keeps what the Step has come to, and has the relay look at the order: what it makes anew is to be taken back in proportion, too.
func (c correct) tell(w *work, r accrual.Corrected) error {
	var past *string
	if r.Past != nil {
		var err error
		if past, err = pastText(map[string]rebate.Past{c.Rules.Campaign.ID: *r.Past}); err != nil {
			return err
		}
	}
	w.write(rerateOrder, c.Order.ID, c.Order.ID, w.at, int16(c.Ordinal), past)
	d := r.Differences()
	w.write(insertReratingLine, w.step.Cause, c.RunID, w.step.Cause, c.Order.ID, int32(d.Changed), int32(d.Made), d.More, d.Less, w.at)
	return nil
}
