package cells

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/id"
)

// state is what stands in our own book about a merchant's objects.
type state struct {
	Payments  []paymentRow
	Refunds   []refundRow
	Payouts   []payoutRow
	Transfers []transferRow
	Cases     []caseRow
	Waiting   int // what relays have still to do
}

type paymentRow struct {
	Merchant, ID, Status, Parked, Currency, Manual    string
	Amount, Wallet, Captured, Refunded, Fee, Sequence int64
	InDoubt, Due                                      bool
}

type refundRow struct {
	Merchant, ID, Payment, Status, Parked string
	Amount, Sequence                      int64
	InDoubt, Due                          bool
}

type payoutRow struct {
	Merchant, ID, Status, Parked string
	Amount, Sequence             int64
	InDoubt, Due                 bool
}

type transferRow struct {
	Merchant, ID, Status string
	Due                  bool
}

type caseRow struct {
	Merchant, ID, Payment, Kind, State, Decision, Parked string
	Amount                                               int64
	Due                                                  bool
}

const sqlPayments = `
	SELECT merchant_id, id, status, coalesce(parked, ''), currency, capture_method, amount, wallet, captured, refunded, fee, sequence, in_doubt,
		start_due_at IS NOT NULL OR cancel_due_at IS NOT NULL
	FROM payments WHERE merchant_id = ANY($1) ORDER BY created_at, id`

const sqlCases = `
	SELECT coalesce(merchant_id, ''), id, coalesce(payment_id, ''), kind, state, coalesce(decision, ''), coalesce(parked, ''), amount,
		start_due_at IS NOT NULL
	FROM cases WHERE merchant_id = ANY($1) ORDER BY opened_at, id`

const sqlRefunds = `
	SELECT merchant_id, id, payment_id, status, coalesce(parked, ''), amount, sequence, in_doubt, start_due_at IS NOT NULL
	FROM refunds WHERE merchant_id = ANY($1) ORDER BY created_at, id`

const sqlPayouts = `
	SELECT merchant_id, id, status, coalesce(parked, ''), amount, sequence, in_doubt, start_due_at IS NOT NULL
	FROM payouts WHERE merchant_id = ANY($1) ORDER BY created_at, id`

const sqlTransfers = `
	SELECT merchant_id, id, status, start_due_at IS NOT NULL FROM transfers WHERE merchant_id = ANY($1) ORDER BY created_at, id`

const sqlCallbacks = `
	SELECT a.merchant_id, count(*) FROM callbacks c JOIN channel_accounts a ON a.id = c.channel_account
	WHERE c.due_at IS NOT NULL AND a.merchant_id = ANY($1) GROUP BY 1`

const sqlMerchant = `SELECT merchant_id FROM payments WHERE book = 'test' AND id = $1`

// merchantOf is whose a payment, or what belongs to one, is.
func (h *House) merchantOf(ctx context.Context, business string) (merchant string, err error) {
	sql := sqlMerchant
	switch {
	case strings.HasPrefix(business, string(id.Refund)):
		sql = `SELECT merchant_id FROM refunds WHERE book = 'test' AND id = $1`
	case strings.HasPrefix(business, string(id.Payout)):
		sql = `SELECT merchant_id FROM payouts WHERE book = 'test' AND id = $1`
	case strings.HasPrefix(business, string(id.Transfer)):
		sql = `SELECT merchant_id FROM transfers WHERE book = 'test' AND id = $1`
	case strings.HasPrefix(business, "cap_"):
		sql = `SELECT p.merchant_id FROM captures c JOIN payments p ON p.id = c.payment_id AND p.book = c.book WHERE c.book = 'test' AND c.id = $1`
	}
	err = h.pool.QueryRow(ctx, sql, business).Scan(&merchant)
	return merchant, err
}

// lookEvery is how often the rows of all runs are read, at once.
const lookEvery = 150 * time.Millisecond

// watch reads what stands about all runs, for all of them.
func (h *House) watch(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		h.mu.Lock()
		merchants := make([]string, 0, len(h.byMerchant))
		for m, r := range h.byMerchant {
			if !r.judged {
				merchants = append(merchants, m)
			}
		}
		h.mu.Unlock()
		states, err := h.look(ctx, merchants)
		if err != nil {
			continue // PostgreSQL comes back
		}
		h.watching.Store(&states)
		h.mu.Lock()
		close(h.looked)
		h.looked = make(chan struct{})
		h.mu.Unlock()
	}
}

// next is closed once the rows were read anew.
func (h *House) next() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.looked
}

// look reads the rows of some merchants.
func (h *House) look(ctx context.Context, merchants []string) (map[string]state, error) {
	out := map[string]state{}
	var p paymentRow
	err := h.each(ctx, sqlPayments, merchants, []any{&p.Merchant, &p.ID, &p.Status, &p.Parked, &p.Currency, &p.Manual, &p.Amount, &p.Wallet, &p.Captured,
		&p.Refunded, &p.Fee, &p.Sequence, &p.InDoubt, &p.Due}, func() {
		s := out[p.Merchant]
		s.Payments = append(s.Payments, p)
		out[p.Merchant] = s
	})
	if err != nil {
		return nil, err
	}
	var c caseRow
	err = h.each(ctx, sqlCases, merchants, []any{&c.Merchant, &c.ID, &c.Payment, &c.Kind, &c.State, &c.Decision, &c.Parked, &c.Amount, &c.Due}, func() {
		s := out[c.Merchant]
		s.Cases = append(s.Cases, c)
		out[c.Merchant] = s
	})
	if err != nil {
		return nil, err
	}
	var f refundRow
	err = h.each(ctx, sqlRefunds, merchants, []any{&f.Merchant, &f.ID, &f.Payment, &f.Status, &f.Parked, &f.Amount, &f.Sequence, &f.InDoubt, &f.Due}, func() {
		s := out[f.Merchant]
		s.Refunds = append(s.Refunds, f)
		out[f.Merchant] = s
	})
	if err != nil {
		return nil, err
	}
	var y payoutRow
	err = h.each(ctx, sqlPayouts, merchants, []any{&y.Merchant, &y.ID, &y.Status, &y.Parked, &y.Amount, &y.Sequence, &y.InDoubt, &y.Due}, func() {
		s := out[y.Merchant]
		s.Payouts = append(s.Payouts, y)
		out[y.Merchant] = s
	})
	if err != nil {
		return nil, err
	}
	var t transferRow
	err = h.each(ctx, sqlTransfers, merchants, []any{&t.Merchant, &t.ID, &t.Status, &t.Due}, func() {
		s := out[t.Merchant]
		s.Transfers = append(s.Transfers, t)
		out[t.Merchant] = s
	})
	if err != nil {
		return nil, err
	}
	var merchant string
	var n int
	err = h.each(ctx, sqlCallbacks, merchants, []any{&merchant, &n}, func() {
		s := out[merchant]
		s.Waiting = n
		out[merchant] = s
	})
	return out, err
}

func (h *House) each(ctx context.Context, sql string, merchants []string, into []any, do func()) error {
	rows, err := h.pool.Query(ctx, sql, merchants)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, into, func() error { do(); return nil })
	return err
}
