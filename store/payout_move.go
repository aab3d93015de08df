package store

import (
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/payout"
	"paysaga/domain/remit"
)

// movePayout settles a payout, judged by its row as it is.
type movePayout struct{ payout.Move }

func newMovePayout(book id.Book, c payout.Move) (move, error) {
	if c.Payout.Book != book || c.Payout.ID == "" {
		return nil, fault.Internal("a move is about one payout of the Step's book", nil)
	}
	return movePayout{c}, nil
}

// A wallet is claimed only when money leaves it: what comes back is its owner's, whatever became of them.
func (m movePayout) claim(l *locks) {
	l.payouts = append(l.payouts, m.Payout.ID)
	if c := m.ruledAsRead().Case; c != nil {
		l.cases = append(l.cases, c.ID)
	}
}

// ruledAsRead is what a contradiction or a decision comes to by what was read: it names the case and the accounts.
func (m movePayout) ruledAsRead() (ruling payout.Ruling) {
	s := m.settling(m.Payout)
	s.Told = m.Told
	switch {
	case m.Contradicts:
		ruling, _ = payout.Contradict(s)
	case m.Decision != "":
		ruling, _ = payout.Decide(s, m.Decision, m.Step().Ordinal)
	}
	return ruling
}

// settling is the question to the rules, about p.
func (m movePayout) settling(p payout.Payout) payout.Settling {
	return payout.Settling{Payout: p, Ordinal: max(m.Ordinal, 1), Outcome: m.Outcome, Now: m.Now}
}

func (m movePayout) posts() posts {
	step, p, c := m.Step(), m.Payout, m.Payout.Chart()
	if step.Code != id.PayoutOut && step.Code != id.Act && step.Code != id.Return {
		return posts{}
	}
	list := posts{accounts: []ledger.Account{p.From(), c.InTransit(p.ChannelAccount), p.Source(),
		c.Suspense(p.ChannelAccount, ledger.PaidElsewhere)}}
	for _, j := range m.ruledAsRead().Journals {
		for _, e := range j.Entries() {
			list.accounts = append(list.accounts, e.Account)
		}
	}
	if m.Decision != "" && !m.Told.IsZero() {
		list.causes = append(list.causes, id.Key(p.ID, id.Step{Code: id.Case, Ordinal: step.Ordinal}))
	}
	if !m.Contradicts {
		list.reverses = []string{id.Key(p.ID, id.Step{Code: id.Receive, Ordinal: 1})}
	}
	if p.UserID == "" {
		list.accounts = append(list.accounts, c.Debt(p.MerchantID), c.FeesDue(p.MerchantID))
		// A cause that is named must not stand: what a failure may have recovered is nothing to the contradiction that follows it.
		if !m.Contradicts || p.Status == payout.Succeeded {
			list.causes = append(list.causes, m.recovers())
		}
	}
	return list
}

// recovers is the cause under which a merchant's debt is paid back out of what comes back.
func (m movePayout) recovers() string {
	return id.Key(m.Payout.ID, id.Step{Code: id.Recover, Ordinal: m.Step().Ordinal})
}

var updatePayout = updating("payouts", `id text, status text, in_doubt boolean, parked text, failure_code text, paid_elsewhere boolean,
	sequence bigint, channel_id text, effective_at timestamptz, updated_at timestamptz, ended boolean, action bytea`, `id = n.id`, `
		status = n.status, in_doubt = n.in_doubt, parked = n.parked, failure_code = n.failure_code, paid_elsewhere = n.paid_elsewhere,
		sequence = n.sequence, channel_id = n.channel_id, effective_at = n.effective_at, updated_at = n.updated_at,
		next_action_sealed = n.action, start_due_at = CASE WHEN n.ended THEN NULL ELSE t.start_due_at END`)

func (m movePayout) judge(w *work) error {
	p := w.b.found.payouts.get(m.Payout.ID)
	if p == nil {
		return fault.NotFound("payout")
	}
	if err := w.s.openAction(&p.Payout, p.action); err != nil {
		return err
	}
	s := m.settling(p.Payout)
	s.Now, s.Followed, s.Told = dated(m.Now, w.at), m.Ordinal > 0 && m.Ordinal < len(p.attempts), remit.Told(p.attempts)
	if m.Decision != "" && s.Told != m.Told {
		return fault.Conflict("stale_state", "the payout has moved since it was read")
	}
	ruling, err := m.rule(s)
	if err != nil {
		return err
	}
	if !m.Contradicts && m.Decision == "" && m.Park == "" {
		w.notePayout(p, m.Ordinal, m.Outcome.Vetted())
	}
	if ruling.Quiet {
		return nil
	}
	w.late = append(w.late, ruling.Journals...)
	if p.UserID == "" {
		if err := w.recoverDebt(p.Chart(), p.MerchantID, m.recovers()); err != nil {
			return err
		}
	}
	if ruling.Case != nil {
		if err := (openCase{*ruling.Case}).judge(w); err != nil || ruling.Event == "" {
			return err
		}
	}
	after := ruling.After
	after.UpdatedAt, after.EffectiveAt = kept(after.UpdatedAt), kept(after.EffectiveAt)
	action, err := w.sealAction(*p, after)
	if err != nil {
		return err
	}
	w.write(updatePayout, after.ID, after.ID, after.Status, after.InDoubt, orNull(after.Parked), orNull(after.FailureCode), after.Elsewhere,
		after.Sequence, orNull(after.ChannelID), optional(after.EffectiveAt), after.UpdatedAt, after.Status.Terminal(), action)
	p.Payout, p.action = after, action
	return w.emitPayout(ruling.Event, after)
}

// sealAction seals what the payee has to do; what stands sealed stays as it is.
func (w *work) sealAction(before lockedPayout, after payout.Payout) ([]byte, error) {
	switch {
	case after.NextAction == nil:
		return nil, nil
	case before.NextAction != nil && before.NextAction.Equal(*after.NextAction):
		return before.action, nil
	}
	return w.sealJSON(after.NextAction)
}

func (m movePayout) rule(s payout.Settling) (payout.Ruling, error) {
	switch {
	case m.Decision != "":
		return payout.Decide(s, m.Decision, m.Step().Ordinal)
	case m.Park != "":
		return payout.Show(s, m.Park), nil
	case m.Contradicts:
		if _, err := payout.Settle(s); !fault.Is(err, fault.KindConflict, "contradicts_state") {
			return payout.Ruling{}, fault.Conflict("stale_state", "the payout has moved since it was read")
		}
		return payout.Contradict(s)
	}
	return payout.Settle(s)
}

var setPayoutAttempt = updating("payout_attempts", `payout_id text, ordinal smallint, verdict text, dead boolean, channel_id text,
	decline_code text, amount bigint, amount_currency text, effective_at timestamptz`,
	`payout_id = n.payout_id AND ordinal = n.ordinal`, `
		verdict = nullif(n.verdict, ''), dead = n.dead, channel_id = n.channel_id, decline_code = n.decline_code,
		amount = nullif(n.amount, 0), amount_currency = n.amount_currency, effective_at = n.effective_at`)

// notePayout writes what is known of a try. What is certain stays (I-21).
func (w *work) notePayout(p *lockedPayout, ordinal int, o payment.Outcome) {
	var learned bool
	if p.attempts, learned = remit.Learn(p.attempts, ordinal, o); !learned {
		return
	}
	w.write(setPayoutAttempt, attemptKey(p.ID, ordinal), triedRow(p.ID, ordinal, o)...)
}

// triedRow is what is written of a try of a refund or a payout.
func triedRow(of string, ordinal int, o payment.Outcome) []any {
	code := ""
	if o.Decline != nil {
		code = o.Decline.Code
	}
	return []any{of, int16(ordinal), o.Verdict, o.Dead, orNull(o.ChannelID), orNull(code), o.AmountMinor, orNull(o.Currency), optional(o.EffectiveAt)}
}
