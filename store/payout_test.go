package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/notice"
	"paysaga/domain/payment"
	"paysaga/domain/payout"
	"paysaga/store/storetest"
)

var destination = payout.Destination{Type: payout.IBAN, Account: "DE89370400440532013000", Name: "Ada Lovelace"}

// takes makes the Step that receives a payout; an empty user takes what the merchant has.
func (h *shop) takes(user string, minor int64) ledger.Step {
	p := payout.Payout{ID: h.s.Mint(id.Payout), MerchantID: h.MerchantID, UserID: user, Amount: cny(minor), Channel: "sandbox",
		ChannelAccount: h.ChannelAccount, Lane: payment.Express}
	return h.step(p.ID, id.Receive, 1, payout.Receive{Payout: p, Destination: destination, Idempotency: h.key("payout", p.ID, user)})
}

func (h *shop) sendPayout(payoutID string, ordinal int) ledger.Step {
	h.t.Helper()
	request, err := json.Marshal(channels.PayoutRequest{AmountMinor: 100, Currency: "CNY", Destination: payout.Reference(payoutID)})
	require.NoError(h.t, err)
	return h.step(payoutID, id.Open, ordinal, payout.Intend{Request: request, Attempt: payout.Attempt{Of: payoutID, Ordinal: ordinal,
		Key: id.Key(payoutID, id.Step{Code: id.PayoutOut, Ordinal: ordinal}), Channel: "sandbox", ChannelAccount: h.ChannelAccount,
		RequestHash: hashOf(string(request))}})
}

func (h *shop) movePayout(payoutID string, edit func(*payout.Move)) ledger.Step {
	h.t.Helper()
	d, err := h.s.PayoutDossier(h.t.Context(), h.Book, payoutID)
	require.NoError(h.t, err)
	m := payout.Move{Payout: d.Payout, Ordinal: 1, Now: time.Now()}
	edit(&m)
	return ledger.Step{Book: h.Book, Cause: id.Key(payoutID, m.Step()), Business: payoutID, By: ledger.Service("test"), Changes: []ledger.Change{m}}
}

func said(o payment.Outcome) func(*payout.Move) { return func(m *payout.Move) { m.Outcome = o } }

func (h *shop) transit() int64 { return -h.balance("payout/" + h.ChannelAccount + "/in_transit") }

// Any number of payouts of one wallet at once take no more than there is (I-06); what fails comes back to the cent (I-07).
func TestPayoutsAtOnce(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	ada := h.user(1000)
	ids := make([]string, 40)
	together(len(ids), func(i int) {
		switch r, err := h.s.Commit(t.Context(), h.takes(ada, 60)); {
		case err == nil:
			ids[i] = r.Object
		case !fault.Is(err, fault.KindConflict, "insufficient_balance"):
			t.Errorf("%v", err)
		}
	})
	var received []string
	for _, one := range ids {
		if one != "" {
			received = append(received, one)
		}
	}
	require.Len(t, received, 16)
	require.Equal(t, []int64{40, 960}, []int64{h.wallet(ada), h.transit()})
	no := payment.Outcome{Verdict: payment.Declined, Dead: true, Decline: &payment.Decline{Code: "account_closed"}}
	together(len(received), func(i int) {
		h.commit(h.sendPayout(received[i], 1))
		if i%2 == 0 {
			h.commit(h.movePayout(received[i], said(no)))
			return
		}
		h.commit(h.movePayout(received[i], said(given(60))))
	})
	require.Equal(t, []int64{40 + 8*60, 0}, []int64{h.wallet(ada), h.transit()})
	list, more, err := h.s.Payouts(t.Context(), payout.Filter{Book: h.Book, UserID: ada, Status: payout.Succeeded, Limit: 7})
	require.NoError(t, err)
	require.True(t, more)
	require.Len(t, list, 7)
}

// Nothing leaves a wallet that is another merchant's, unknown, frozen or closed; what comes back is its owner's all the same.
func TestPayoutsOfWhoMayNot(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	ada := h.user(100)
	under := h.commit(h.takes(ada, 60)).Object
	for status, code := range map[string]string{"frozen": "wallet_frozen", "closed": "wallet_closed", "erased": "wallet_closed"} {
		h.setStatus(ada, status)
		h.refused(h.takes(ada, 1), fault.KindConflict, code)
	}
	h.setStatus(ada, "closed") // nothing of theirs was erased
	h.commit(h.sendPayout(under, 1))
	h.commit(h.movePayout(under, said(payment.Outcome{Verdict: payment.Declined, Dead: true})))
	require.Equal(t, int64(100), h.wallet(ada))
	h.refused(h.takes(h.s.Mint(id.User), 1), fault.KindNotFound, "")
	other := storetest.Plant(t, h.s, h.Book)
	theirs := storetest.User(t, h.db, other, 100)
	h.refused(h.takes(theirs, 1), fault.KindNotFound, "") // I-25
	_, err := h.s.Payout(t.Context(), h.Book, other.MerchantID, "", under)
	require.True(t, fault.Is(err, fault.KindNotFound, ""), "%v", err)
	_, err = h.s.Payout(t.Context(), h.Book, h.MerchantID, theirs, under)
	require.True(t, fault.Is(err, fault.KindNotFound, ""), "%v", err)
}

// What a Step of ours orders: all that is there, if it is worth it.
func TestPayoutOfAll(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	ada := h.user(100)
	order := func(atLeast int64) ledger.Step {
		step := h.takes(ada, 0)
		c := step.Changes[0].(payout.Receive)
		c.All, c.AtLeast = true, atLeast
		step.Changes[0], step.Cause = c, id.Key(h.s.Mint(id.Rebate), id.Step{Code: id.Settle, Ordinal: 1})
		return step
	}
	h.refused(order(101), fault.KindConflict, "insufficient_balance")
	made := h.commit(order(100)).Object
	p, err := h.s.Payout(t.Context(), h.Book, h.MerchantID, ada, made)
	require.NoError(t, err)
	require.Equal(t, cny(100), p.Amount)
	require.Equal(t, payout.Masked{Type: payout.IBAN, Last: "3000"}, p.To)
	h.refused(order(0), fault.KindConflict, "insufficient_balance")
	due, err := h.s.UnstartedPayouts(t.Context(), -time.Minute, 10)
	require.NoError(t, err)
	require.Len(t, due, 1, "the relay finds it (I-19)")
}

// The destination stands sealed and apart, and reaches the call alone.
func TestThePayoutsDestination(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	one := h.commit(h.takes(h.user(100), 100)).Object
	_, err := h.s.PayoutIntent(t.Context(), h.Book, id.Key(one, id.Step{Code: id.PayoutOut, Ordinal: 1}))
	require.True(t, fault.Is(err, fault.KindNotFound, ""), "nothing is sent before the intent (I-13): %v", err)
	h.commit(h.sendPayout(one, 1))
	in, err := h.s.PayoutIntent(t.Context(), h.Book, id.Key(one, id.Step{Code: id.PayoutOut, Ordinal: 1}))
	require.NoError(t, err)
	require.Equal(t, "iban:DE89370400440532013000", in.Request.Destination)
	h.refused(h.sendPayout(one, 2), fault.KindConflict, "attempt_alive") // I-11
	var open int
	require.NoError(t, h.db.Owner.QueryRow(t.Context(), `SELECT
		(SELECT count(*) FROM payouts x WHERE x::text LIKE '%0532013000%' OR x::text LIKE '%Lovelace%') +
		(SELECT count(*) FROM events x WHERE x::text LIKE '%0532013000%' OR x::text LIKE '%Lovelace%') +
		(SELECT count(*) FROM payout_attempts x WHERE encode(x.request_sealed, 'escape') LIKE '%0532013000%')`).Scan(&open))
	require.Zero(t, open, "I-26")
}

// What a channel says after the end is a case, once, with the posting that keeps our book with the channel's.
func TestPayoutsThatAreContradicted(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	ada := h.user(200)
	done, back := h.commit(h.takes(ada, 100)).Object, h.commit(h.takes(ada, 100)).Object
	for _, one := range []string{done, back} {
		h.commit(h.sendPayout(one, 1))
	}
	no := payment.Outcome{Verdict: payment.Declined, Dead: true, ChannelID: "re_1"}
	h.commit(h.movePayout(done, said(given(100))))
	h.commit(h.movePayout(back, said(no)))
	contradicts := func(o payment.Outcome) func(*payout.Move) {
		return func(m *payout.Move) { m.Outcome, m.Contradicts = o, true }
	}
	h.refused(h.movePayout(done, contradicts(given(100))), fault.KindConflict, "stale_state")
	again := h.movePayout(done, contradicts(no))
	h.commit(again)
	h.commit(h.movePayout(back, contradicts(given(100))))
	require.True(t, h.commit(again).Replayed)
	require.Equal(t, []int64{200, 0, 100}, []int64{h.wallet(ada), h.transit(), h.balance("suspense/" + h.ChannelAccount + "/payout_paid_after_all")})
	for one, want := range map[string]struct {
		status payout.Status
		told   []string
	}{done: {payout.Succeeded, []string{"payout.created", "payout.succeeded", "payout.returned"}}, back: {payout.Failed, []string{"payout.created", "payout.failed"}}} {
		d, err := h.s.PayoutDossier(t.Context(), h.Book, one)
		require.NoError(t, err)
		require.Equal(t, want.status, d.Payout.Status, "it has one end (I-15)")
		require.Equal(t, want.told, h.types(one), "I-23")
		require.Equal(t, int64(len(want.told)), d.Payout.Sequence)
	}
}

// What the payee has to do stands sealed, in the row and in its event, reaches whoever reads the payout, and is gone with its end: also
// where a binary ends it that doesn't know of it.
func TestThePayoutsAction(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	ada := h.user(200)
	waits := payment.Outcome{Verdict: payment.Pending, ChannelID: "b1", Action: &payment.Action{Type: payment.ActionSDK,
		Parameters: map[string]string{"package": "hidden-package"}}}
	ends := []func(payoutID string){
		func(one string) { h.commit(h.movePayout(one, said(given(100)))) },
		func(one string) {
			h.commit(h.movePayout(one, said(payment.Outcome{Verdict: payment.Closed, Dead: true})))
		},
	}
	for _, end := range ends {
		one := h.commit(h.takes(ada, 100)).Object
		h.commit(h.sendPayout(one, 1))
		h.commit(h.movePayout(one, said(waits)))
		h.commit(h.movePayout(one, func(m *payout.Move) { m.Park, m.Ordinal = "long", 0 }))
		p, err := h.s.Payout(t.Context(), h.Book, h.MerchantID, ada, one)
		require.NoError(t, err)
		require.Equal(t, waits.Action, p.NextAction)
		list, _, err := h.s.Payouts(t.Context(), payout.Filter{Book: h.Book, UserID: ada, Status: payout.Processing, Limit: 5})
		require.NoError(t, err)
		require.Equal(t, waits.Action, list[0].NextAction)
		var open, sealed int
		count := `SELECT (SELECT count(*) FROM payouts x WHERE x::text LIKE '%hidden-package%') + (SELECT count(*) FROM events x WHERE x::text LIKE '%hidden-package%'),
			(SELECT count(*) FROM payouts WHERE id = $1 AND next_action_sealed IS NOT NULL)`
		require.NoError(t, h.db.Owner.QueryRow(t.Context(), count, one).Scan(&open, &sealed))
		require.Equal(t, []int{0, 1}, []int{open, sealed}, "I-26")
		var forgotten bool
		tx, err := h.db.Owner.Begin(t.Context()) // what a binary does that doesn't know of it
		require.NoError(t, err)
		require.NoError(t, tx.QueryRow(t.Context(), `UPDATE payouts SET status = 'succeeded', parked = NULL WHERE id = $1 RETURNING next_action_sealed IS NULL`, one).Scan(&forgotten))
		require.True(t, forgotten)
		require.NoError(t, tx.Rollback(t.Context()))
		end(one)
		p, err = h.s.Payout(t.Context(), h.Book, h.MerchantID, ada, one)
		require.NoError(t, err)
		require.True(t, p.Status.Terminal())
		require.Nil(t, p.NextAction)
		require.NoError(t, h.db.Owner.QueryRow(t.Context(), count, one).Scan(&open, &sealed))
		require.Zero(t, sealed)
	}
}

// types are the types of an object's events, in sequence.
func (h *shop) types(object string) (list []string) {
	h.t.Helper()
	rows, err := h.db.Owner.Query(h.t.Context(), `SELECT type FROM events WHERE object_id = $1 ORDER BY sequence`, object)
	require.NoError(h.t, err)
	list, err = pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(h.t, err)
	return list
}

// Whose payout came back is told by every medium, in their language: their money is in the wallet again.
func TestWhosePayoutCameBackIsTold(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	h.tells(notice.Media()...)
	ada := h.user(100)
	h.prefers(ada, notice.Preferences{})
	p := h.commit(h.takes(ada, 100)).Object
	h.commit(h.sendPayout(p, 1))
	h.commit(h.movePayout(p, said(given(100))))
	h.commit(h.movePayout(p, func(m *payout.Move) {
		m.Outcome, m.Contradicts = payment.Outcome{Verdict: payment.Declined, Dead: true, ChannelID: "re_1"}, true
	}))
	h.plan()
	media := map[notice.Medium]string{}
	for _, r := range h.notices() {
		if r.Type == "payout.returned" {
			f, err := notice.FactsOf(r, notice.Settings{})
			require.NoError(t, err)
			media[r.Medium] = f.Amount + " " + f.Currency + " " + string(r.Language)
		}
	}
	require.Equal(t, map[notice.Medium]string{notice.Mail: "1.00 CNY zh", notice.SMS: "1.00 CNY zh", notice.Push: "1.00 CNY zh"}, media)
}
