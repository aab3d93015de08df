package store

import (
	"slices"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/dispute"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/trade"
)

const sqlLockDisputes = `
	SELECT` + disputeColumns + `
	FROM unnest($2::text[]) AS n(id) CROSS JOIN LATERAL (SELECT * FROM disputes WHERE book = $1 AND id = n.id FOR UPDATE) d`

func (b *batch) queueDisputes(m *pgx.Batch) {
	list := b.claimed(func(l *locks) []string { return l.disputes })
	if list == nil {
		return
	}
	m.Queue(sqlLockDisputes, b.book(), list).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			d, err := scanDispute(rows)
			if err != nil {
				return err
			}
			b.found.disputes.find(d.ID, d)
		}
		return rows.Err()
	})
}

// hearDispute is a channel's word about a dispute, judged under the payment's lock (I-12).
type hearDispute struct{ dispute.Hear }

func (w *work) newHearDispute(c dispute.Hear) (move, error) {
	d := &c.Dispute
	d.Book = w.step.Book
	if made, err := dispute.ID(d.PaymentID, d.ChannelAccount, d.ChannelID); err != nil || made != d.ID || c.Word.ID != d.ChannelID {
		return nil, fault.Internal("a dispute is named by its payment and by its channel's id", err)
	}
	if id.Is(id.TopUp, d.PaymentID) != (d.UserID != "") {
		return nil, fault.Internal("a dispute of a top-up, and no other, names whose wallet it is", nil)
	}
	own, err := w.s.ownFunds(w.db, d.Book, d.MerchantID)
	if err != nil {
		return nil, err
	}
	c.OwnFunds = slices.Contains(own, d.ChannelAccount)
	return hearDispute{c}, c.Word.Check()
}

func (h hearDispute) claim(l *locks) {
	d := h.Dispute
	if d.OrderID != "" {
		l.orders = append(l.orders, d.OrderID)
	}
	l.payments = append(l.payments, d.PaymentID)
	l.wholes = append(l.wholes, d.PaymentID)
	l.disputes = append(l.disputes, d.ID)
	if d.UserID != "" {
		l.holders = append(l.holders, d.UserID)
	}
}

func (h hearDispute) posts() posts {
	c, d := h.Chart(), h.Dispute
	list := []ledger.Account{c.Available(d.MerchantID), c.Ours().Available(d.MerchantID), c.Debt(d.MerchantID), c.FeesDue(d.MerchantID), c.Suspense(d.ChannelAccount, ledger.ChargebackSuspense),
		c.ChannelFees(d.ChannelAccount), c.Clearing(d.ChannelAccount)}
	if d.UserID != "" {
		list = append(list, c.Wallet(d.UserID))
	}
	return posts{accounts: list, causes: []string{h.Cause(), h.recovers()}}
}

// recovers is the cause under which a debt is paid back out of what was won.
func (h hearDispute) recovers() string {
	return id.Key(h.Dispute.ID, id.Step{Code: id.Recover, Ordinal: h.Step().Ordinal})
}

var (
	insertDispute = inserting("disputes", `id text, payment_id text, order_id text, merchant_id text, user_id text, charge smallint, channel text,
	channel_account text, channel_id text, amount bigint, currency text, fee bigint, reason text, status text, taken_merchant bigint,
	taken_wallet bigint, taken_suspense bigint, taken_fee bigint, sequence bigint, opened_at timestamptz, said_at timestamptz,
	updated_at timestamptz`)
	updateDispute = updating("disputes", `id text, amount bigint, fee bigint, reason text, status text, taken_merchant bigint, taken_wallet bigint,
	taken_suspense bigint, taken_fee bigint, sequence bigint, said_at timestamptz, updated_at timestamptz`, `id = n.id`, `
		amount = n.amount, fee = n.fee, reason = n.reason, status = n.status, taken_merchant = n.taken_merchant, taken_wallet = n.taken_wallet,
		taken_suspense = n.taken_suspense, taken_fee = n.taken_fee, sequence = n.sequence, said_at = n.said_at, updated_at = n.updated_at`)
	moveDisputed = updating("payments", `id text, disputed bigint, sequence bigint, updated_at timestamptz`, `id = n.id`, `
		disputed = n.disputed, sequence = n.sequence, updated_at = n.updated_at, topup_known = t.order_id = '',
		parts_seen = CASE WHEN t.wallet > 0 THEN n.sequence END`)
)

func (h hearDispute) judge(w *work) error {
	d, p := h.Dispute, w.b.found.wholes.get(h.Dispute.PaymentID)
	if p == nil || p.MerchantID != d.MerchantID { // I-25
		return fault.NotFound("payment")
	}
	stands := w.b.found.disputes.get(d.ID)
	switch {
	case stands == nil && d.Sequence > 0, stands != nil && stands.Sequence != d.Sequence:
		return fault.Conflict("stale_state", "the dispute has moved since it was read")
	case stands != nil:
		d = *stands
	}
	hearing, err := h.hearing(w, d, p)
	if err != nil {
		return err
	}
	ruling, err := hearing.Rule()
	if err != nil {
		return err
	}
	w.short = w.short || len(ruling.Journals) > 0 // who bears it is a matter of balances
	w.late = append(w.late, ruling.Journals...)
	if err := w.recoverDebt(h.Chart().Ours(), d.MerchantID, h.recovers()); err != nil {
		return err
	}
	w.keepDispute(stands != nil, ruling.After)
	if ruling.Event != "" {
		a := ruling.After
		w.out.events = append(w.out.events, event{kind: ruling.Event, merchant: a.MerchantID, object: "dispute", id: a.ID, sequence: a.Sequence, data: a.Public()})
	}
	if ruling.Case != nil { // its id has this Step's cause in it: nobody else opens it, and it needs no lock
		if err := (openCase{*ruling.Case}).judge(w); err != nil {
			return err
		}
	}
	if !ruling.Counts {
		return nil
	}
	w.write(touchRebatesOf, d.PaymentID, d.PaymentID, w.at)
	by := ruling.Payment.Disputed.Minor - p.Disputed.Minor
	if err := w.moveDisputed(p, ruling.Payment); err != nil || d.OrderID == "" {
		return err
	}
	o := w.b.found.orders.get(d.OrderID)
	if o == nil || p.OrderID != d.OrderID {
		return fault.Internal("a dispute of another order than its payment's", nil)
	}
	return w.changeOrder(o, trade.Change{Disputed: by})
}

// hearing is what the word is judged by.
func (h hearDispute) hearing(w *work, d dispute.Dispute, p *wholePayment) (dispute.Hearing, error) {
	v := dispute.Hearing{Hear: dispute.Hear{Dispute: d, Word: h.Word, OwnFunds: h.OwnFunds}, Payment: p.Payment, DebtLimit: p.terms.DebtLimit, Now: kept(w.at)}
	var err error
	if v.Available, v.Debt, err = w.purse(h.Chart().Ours(), d.MerchantID); err != nil || d.UserID == "" {
		return v, err
	}
	if w.holds(d.MerchantID, d.UserID) == nil {
		v.Wallet, err = w.balance(h.Chart().Wallet(d.UserID))
	}
	return v, err
}

func (w *work) keepDispute(stands bool, d dispute.Dispute) {
	t := d.Taken
	w.b.found.disputes.put(d.ID, d)
	if stands {
		w.write(updateDispute, d.ID, d.ID, d.Amount.Minor, d.Fee, orNull(d.Reason), d.Status, t.Merchant, t.Wallet, t.Suspense, t.Fee, d.Sequence,
			d.SaidAt, d.UpdatedAt)
		return
	}
	w.write(insertDispute, d.ID, d.ID, d.PaymentID, d.OrderID, d.MerchantID, orNull(d.UserID), int16(d.Charge), d.Channel, d.ChannelAccount,
		d.ChannelID, d.Amount.Minor, d.Amount.Currency, d.Fee, orNull(d.Reason), d.Status, t.Merchant, t.Wallet, t.Suspense, t.Fee, d.Sequence,
		d.OpenedAt, d.SaidAt, d.UpdatedAt)
}

// moveDisputed writes what a dispute makes of its payment, and tells it.
func (w *work) moveDisputed(p *wholePayment, after payment.Payment) error {
	if after.UpdatedAt.Before(p.UpdatedAt) {
		after.UpdatedAt = p.UpdatedAt
	}
	after.UpdatedAt = kept(after.UpdatedAt)
	w.write(moveDisputed, after.ID, after.ID, after.Disputed.Minor, after.Sequence, after.UpdatedAt)
	p.Payment = after
	if row := w.b.found.payments.get(after.ID); row != nil {
		row.sequence = after.Sequence
	}
	return w.emitPayment("payment.updated", after)
}
