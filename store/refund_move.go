package store

import (
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/refund"
	"paysaga/domain/remit"
	"paysaga/domain/trade"
)

// moveRefund settles a refund, judged by the rows as they are: a hundred sagas of one payment need no second reading.
type moveRefund struct{ refund.Move }

func newMoveRefund(book id.Book, c refund.Move) (move, error) {
	if c.Refund.Book != book || c.Refund.ID == "" {
		return nil, fault.Internal("a move is about one refund of the Step's book", nil)
	}
	return moveRefund{c}, nil
}

func (m moveRefund) claim(l *locks) {
	r := m.Refund
	if r.OrderID != "" {
		l.orders = append(l.orders, r.OrderID)
	}
	l.payments = append(l.payments, r.PaymentID)
	l.wholes = append(l.wholes, r.PaymentID)
	l.refunds = append(l.refunds, r.ID)
	if m.Decision == refund.ToWallet && r.User != "" {
		l.holders = append(l.holders, r.User)
	}
	if c := m.ruledAsRead().Case; c != nil {
		l.cases = append(l.cases, c.ID)
	}
}

// ruledAsRead is what a contradiction or a decision comes to by what was read: it names the case and the accounts.
func (m moveRefund) ruledAsRead() refund.Ruling {
	s := m.settling(m.Refund)
	s.Told = m.Told
	var ruling refund.Ruling
	switch {
	case m.Contradicts:
		ruling, _ = refund.Contradict(s)
	case m.Decision != "":
		ruling, _ = refund.Decide(s, m.Decision, m.Step().Ordinal)
	}
	return ruling
}

// settling is the question to the rules, about r.
func (m moveRefund) settling(r refund.Refund) refund.Settling {
	return refund.Settling{Refund: r, Ordinal: max(m.Ordinal, 1), Outcome: m.Outcome, Now: m.Now}
}

func (m moveRefund) posts() posts {
	step := m.Step()
	if step.Code != id.RefundOut && step.Code != id.Act && step.Code != id.Return {
		return posts{}
	}
	r, c := m.Refund, m.Refund.Chart()
	list := posts{accounts: []ledger.Account{c.Pending(r.MerchantID), c.Available(r.MerchantID), c.Debt(r.MerchantID), c.FeesDue(r.MerchantID), c.Fees(),
		c.Refunding(r.MerchantID)}}
	if r.OwnFunds { // a fee that is charged again is paid out of what the merchant has with us
		list.accounts = append(list.accounts, c.Ours().Available(r.MerchantID))
	}
	if r.ChannelAccount != "" {
		list.accounts = append(list.accounts, c.Clearing(r.ChannelAccount), c.Suspense(r.ChannelAccount, ledger.PaidElsewhere))
	}
	if r.Wallet.Minor > 0 || r.Taken.Wallet.Minor > 0 || (m.Decision == refund.ToWallet && r.User != "") {
		list.accounts = append(list.accounts, c.Wallet(r.User))
	}
	if reason := r.SuspenseReason(); reason != "" {
		list.accounts = append(list.accounts, c.Suspense(r.ChannelAccount, reason))
	}
	for _, j := range m.ruledAsRead().Journals {
		for _, e := range j.Entries() {
			list.accounts = append(list.accounts, e.Account)
		}
	}
	if m.Decision != "" && !m.Told.IsZero() {
		list.causes = append(list.causes, id.Key(r.ID, id.Step{Code: id.Case, Ordinal: step.Ordinal}))
	}
	// A cause that is named must not stand: what a failure may have posted is nothing to the contradiction that follows it.
	if !m.Contradicts {
		list.causes = append(list.causes, id.Key(r.ID, id.Step{Code: id.Mature, Ordinal: step.Ordinal}))
	}
	if !m.Contradicts || r.Status == refund.Succeeded {
		list.causes = append(list.causes, id.Key(r.ID, id.Step{Code: id.Recover, Ordinal: step.Ordinal}))
	}
	if r.Source == refund.FromSuspense {
		return list
	}
	list.reverses = []string{id.Key(r.ID, id.Step{Code: id.Receive, Ordinal: 1})}
	if r.OwnFunds && !m.Contradicts {
		returned, again := refund.FeeCauses(r.ID)
		list.causes, list.reverses = append(list.causes, again), append(list.reverses, returned)
	}
	return list
}

var updateRefund = updating("refunds", `id text, status text, in_doubt boolean, parked text, failure_code text, paid_elsewhere boolean, to_wallet boolean,
	sequence bigint, channel_id text, effective_at timestamptz, updated_at timestamptz, ended boolean`, `id = n.id`, `
		status = n.status, in_doubt = n.in_doubt, parked = n.parked, failure_code = n.failure_code, paid_elsewhere = n.paid_elsewhere, to_wallet = n.to_wallet,
		sequence = n.sequence, channel_id = n.channel_id, effective_at = n.effective_at, updated_at = n.updated_at,
		start_due_at = CASE WHEN n.ended THEN NULL ELSE t.start_due_at END`)

func (m moveRefund) judge(w *work) error {
	r, p := w.b.found.refunds.get(m.Refund.ID), w.b.found.wholes.get(m.Refund.PaymentID)
	if r == nil || p == nil {
		return fault.NotFound("refund")
	}
	s := m.settling(r.Refund)
	s.Payment, s.Matured, s.Now = p.Payment, p.matured, dated(m.Now, w.at)
	s.Followed, s.Told = m.Ordinal > 0 && m.Ordinal < len(r.attempts), remit.Told(r.attempts)
	if m.Decision != "" && s.Told != m.Told {
		return fault.Conflict("stale_state", "the refund has moved since it was read")
	}
	ruling, err := m.rule(s)
	if err != nil {
		return err
	}
	if !m.Contradicts && m.Decision == "" && m.Park == "" {
		w.noteTry(r, m.Ordinal, m.Outcome.Vetted())
	}
	if ruling.Quiet {
		return nil
	}
	if ruling.After.ToWallet && !r.ToWallet {
		if err := w.holds(r.MerchantID, r.User); err != nil {
			return err
		}
	}
	w.late = append(w.late, ruling.Journals...)
	if err := w.recoverDebt(r.Chart().Ours(), r.MerchantID, id.Key(r.ID, id.Step{Code: id.Recover, Ordinal: m.Step().Ordinal})); err != nil {
		return err
	}
	if ruling.Case != nil {
		if err := (openCase{*ruling.Case}).judge(w); err != nil || m.Contradicts {
			return err
		}
	}
	after := ruling.After
	after.UpdatedAt = kept(after.UpdatedAt)
	after.EffectiveAt = kept(after.EffectiveAt)
	w.write(updateRefund, after.ID, after.ID, after.Status, after.InDoubt, orNull(after.Parked), orNull(after.FailureCode), after.Elsewhere, after.ToWallet,
		after.Sequence, orNull(after.ChannelID), optional(after.EffectiveAt), after.UpdatedAt, after.Status.Terminal())
	r.Refund = after
	w.emitRefund(ruling.Event, after)
	if ruling.PaymentEvent == "" {
		return nil
	}
	if err := w.movePayment(p, ruling.Payment, ruling.PaymentEvent); err != nil || ruling.Order == (trade.Change{}) {
		return err
	}
	return moveOrder{trade.Move{OrderID: r.OrderID, Change: ruling.Order}}.judge(w)
}

func (m moveRefund) rule(s refund.Settling) (refund.Ruling, error) {
	switch {
	case m.Decision != "":
		return refund.Decide(s, m.Decision, m.Step().Ordinal)
	case m.Park != "":
		return refund.Show(s, m.Park)
	case m.Contradicts:
		if _, err := refund.Settle(s); !fault.Is(err, fault.KindConflict, "contradicts_state") {
			return refund.Ruling{}, fault.Conflict("stale_state", "the refund has moved since it was read")
		}
		return refund.Contradict(s)
	}
	return refund.Settle(s)
}

var setRefundAttempt = updating("refund_attempts", `refund_id text, ordinal smallint, verdict text, dead boolean, channel_id text,
	decline_code text, amount bigint, amount_currency text, effective_at timestamptz`,
	`refund_id = n.refund_id AND ordinal = n.ordinal`, `
		verdict = nullif(n.verdict, ''), dead = n.dead, channel_id = n.channel_id, decline_code = n.decline_code,
		amount = nullif(n.amount, 0), amount_currency = n.amount_currency, effective_at = n.effective_at`)

// noteTry writes what is known of a try. What is certain stays (I-21).
func (w *work) noteTry(r *lockedRefund, ordinal int, o payment.Outcome) {
	var learned bool
	if r.attempts, learned = remit.Learn(r.attempts, ordinal, o); !learned {
		return
	}
	w.write(setRefundAttempt, attemptKey(r.ID, ordinal), triedRow(r.ID, ordinal, o)...)
}

// recovery is a Step's, whose own journals make money available.
type recovery struct {
	refund.Recover
	book id.Book
}

func (r recovery) claim(*locks) {}

func (r recovery) chart() ledger.Chart { return ledger.Chart{Book: r.book, Currency: r.Currency} }

func (r recovery) posts() posts {
	c := r.chart()
	return posts{accounts: []ledger.Account{c.Available(r.MerchantID), c.Debt(r.MerchantID), c.FeesDue(r.MerchantID)}, causes: []string{r.Cause}}
}

func (r recovery) judge(w *work) error { return w.recoverDebt(r.chart(), r.MerchantID, r.Cause) }

// recoverDebt pays a merchant's debt, and then the fees that it owes, out of what the Step makes available, in the same Step: nobody
// can spend it before. A fee that the Step charges is paid at once out of whatever the merchant has.
func (w *work) recoverDebt(c ledger.Chart, merchant, cause string) error {
	if len(w.named) == 0 || (w.coming(c.Available(merchant)) <= 0 && w.coming(c.FeesDue(merchant)) <= 0) {
		return nil
	}
	available, debt, err := w.purse(c, merchant)
	if err != nil {
		return err
	}
	due, err := w.balance(c.FeesDue(merchant))
	if err != nil {
		return err
	}
	has := available + w.coming(c.Available(merchant))
	back := max(0, min(debt+w.coming(c.Debt(merchant)), has))
	fees := max(0, min(due+w.coming(c.FeesDue(merchant)), has-back))
	if back+fees <= 0 {
		return nil
	}
	j, err := ledger.DebtRecovered(cause, c, merchant, money.New(back, c.Currency), money.New(fees, c.Currency))
	if err != nil {
		return err
	}
	w.short = true // another balance would have made another amount
	w.late = append(w.late, j)
	return nil
}
