package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"paysaga/audit"
	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/user"
)

// personal is what a test's user is known by; none of it stands in anything else.
var personal = []string{"Lovelace", "ada@example.com", "+8613800138000", "tok_of_ada", "203.0.113.7", "ada.example", "gift for Ada", "DE89370400440532013000", "payer@example.com"}

// traces is where personal data are found: in any column of any table, as text, as bytes, or sealed under a key that we have.
func (h *shop) traces() (found []string) {
	h.t.Helper()
	rows, err := h.db.Owner.Query(h.t.Context(), `
		SELECT c.relname, a.attname, a.atttypid = 'bytea'::regtype, a.attname LIKE '%\_sealed'
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition`)
	require.NoError(h.t, err)
	type column struct {
		Table, Name  string
		Bytes, Seals bool
	}
	columns, err := pgx.CollectRows(rows, pgx.RowToStructByPos[column])
	require.NoError(h.t, err)
	require.Greater(h.t, len(columns), 300)
	for _, c := range columns {
		name := pgx.Identifier{c.Name}.Sanitize()
		value := name + "::text::bytea"
		if c.Bytes {
			value = name
		}
		rows, err := h.db.Owner.Query(h.t.Context(), fmt.Sprintf(`SELECT %s FROM %s WHERE %s IS NOT NULL`, value, pgx.Identifier{c.Table}.Sanitize(), name))
		require.NoError(h.t, err, "%v", c)
		values, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
		require.NoError(h.t, err, "%v", c)
		for _, v := range values {
			if c.Seals && c.Bytes {
				v, err = h.s.OpenSealed(v)
				require.NoError(h.t, err, "%v", c)
			}
			for _, one := range personal {
				if strings.Contains(string(v), one) {
					found = append(found, c.Table+"."+c.Name+" holds "+one)
				}
			}
		}
	}
	return found
}

// known makes a user of whom everything is known that ever is, with a payment and a payout that have ended, and a channel's word of each.
func (h *shop) known() user.User {
	h.t.Helper()
	ctx := h.t.Context()
	step := h.receive("k", "A-1", cny(100))
	r := step.Changes[0].(payment.Receive)
	r.Secrets = payment.Secrets{Token: "tok_of_ada", CustomerIP: "203.0.113.7", ReturnURL: "https://ada.example/back", Description: "gift for Ada"}
	r.Customer.Details = map[string]string{"name": "Ada Lovelace", "email": "payer@example.com"}
	step.Changes = []ledger.Change{r}
	paymentID := h.commit(step).Object
	open := h.intent(h.dossier(paymentID).Payment, 1)
	in := open.Changes[0].(payment.Intend)
	request, err := json.Marshal(channels.ChargeRequest{AmountMinor: 100, Currency: "CNY", Capture: true, ReturnURL: "https://ada.example/back",
		Description: "gift for Ada", Method: payment.Method{Type: payment.MethodCardToken, Token: "tok_of_ada", CustomerIP: "203.0.113.7"}})
	require.NoError(h.t, err)
	in.Request, in.Attempt.RequestHash = request, hashOf(string(request))
	open.Changes[0] = in
	h.commit(open)
	h.told(in.Attempt.Reference, channels.SubjectCharge)
	h.commit(h.settle(paymentID, 1, h.succeeded(paymentID)))

	u, _, err := h.s.CreateUser(ctx, user.User{Book: h.Book, MerchantID: h.MerchantID, Reference: "customer-1", Metadata: map[string]string{"called": "Lovelace"},
		Profile: user.Profile{Email: "ada@example.com", Phone: "+8613800138000"}}, h.by())
	require.NoError(h.t, err)
	require.NoError(h.t, h.s.SetCredentials(ctx, h.ref(u.ID), "ada@example.com", "hash"))
	_, err = h.s.AddDestination(ctx, h.ref(u.ID), destination, h.by())
	require.NoError(h.t, err)
	h.fill(u.ID, 100)
	payoutID := h.commit(h.takes(u.ID, 100)).Object
	h.commit(h.sendPayout(payoutID, 1))
	reference, err := id.Reference(id.Key(payoutID, id.Step{Code: id.PayoutOut, Ordinal: 1}))
	require.NoError(h.t, err)
	h.told(reference, channels.SubjectPayout)
	h.commit(h.movePayout(payoutID, said(given(100))))
	return u
}

// told stores a channel's word that names the payer.
func (h *shop) told(reference string, about channels.Subject) {
	h.t.Helper()
	r := h.callback("evt_"+reference, reference)
	r.Subject, r.Body = about, []byte(`{"payer":{"email_address":"payer@example.com","name":"Lovelace"}}`)
	_, _, err := h.s.ReceiveCallback(h.t.Context(), r)
	require.NoError(h.t, err)
}

func (h *shop) placed() {
	h.t.Helper()
	_, err := h.db.Owner.Exec(h.t.Context(), `UPDATE callbacks SET disposition = 'seen', disposed_at = now(), due_at = NULL`)
	require.NoError(h.t, err)
}

func TestOfAnErasedUserNoTableHoldsAnything(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	ctx := t.Context()
	u := h.known()
	require.Greater(t, len(h.traces()), 12, "the search finds what is there")
	require.Equal(t, "callback_under_way", h.ends(u.ID, user.Doing{Act: user.Erase}).Code)
	h.placed()
	_, err := h.s.DoUser(ctx, h.ref(u.ID), h.by(), user.Doing{Act: user.Erase})
	require.NoError(t, err)
	require.Empty(t, h.traces(), "I-26")

	// What the money is proved by stays, and channels can be asked.
	list, _, err := h.s.Payments(ctx, payment.Filter{Book: h.Book, UserID: u.ID, Limit: 1})
	require.NoError(t, err)
	in, err := h.s.Intent(ctx, h.Book, id.Key(list[0].ID, id.Step{Code: id.Charge, Ordinal: 1}))
	require.NoError(t, err)
	require.Equal(t, channels.ChargeRequest{AmountMinor: 100, Currency: "CNY", Capture: true, Method: payment.Method{Type: payment.MethodCardToken}}, in.Request)
	require.Len(t, in.Key.BodyHash, 64)
	var payoutID string
	require.NoError(t, h.db.Owner.QueryRow(ctx, `SELECT id FROM payouts`).Scan(&payoutID))
	out, err := h.s.PayoutIntent(ctx, h.Book, id.Key(payoutID, id.Step{Code: id.PayoutOut, Ordinal: 1}))
	require.NoError(t, err)
	require.Empty(t, out.Request.Destination)
	h.db.Audit(t)
}

// What was cut off is finished by a repeat, and until then the audit names it.
func TestAnErasureThatWasCutOffGoesOn(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	ctx := t.Context()
	u := h.known()
	h.placed()
	var details string
	require.NoError(t, h.db.Owner.QueryRow(ctx, `SELECT encode(secrets_sealed, 'hex') FROM payment_details`).Scan(&details))
	_, err := h.s.DoUser(ctx, h.ref(u.ID), h.by(), user.Doing{Act: user.Erase})
	require.NoError(t, err)
	_, err = h.db.Owner.Exec(ctx, `INSERT INTO payment_details (book, payment_id, secrets_sealed) SELECT book, id, decode($1, 'hex') FROM payments`, details)
	require.NoError(t, err)
	report, err := audit.Check(ctx, h.db.Owner, audit.Options{Full: true, UndeliveredAfter: -1})
	require.NoError(t, err)
	require.Len(t, report.Violations, 1)
	_, err = h.s.DoUser(ctx, h.ref(u.ID), h.by(), user.Doing{Act: user.Erase})
	require.NoError(t, err)
	require.Empty(t, h.traces())
	h.db.Audit(t)
}

// The application can't take anything out of the request of somebody who isn't erased, or whose payment runs (I-13).
func TestAFrozenRequestStays(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	paymentID := h.paid("A-1", cny(100))
	app, err := pgx.Connect(t.Context(), h.db.Config.URL)
	require.NoError(t, err)
	t.Cleanup(func() { _ = app.Close(context.Background()) })
	for _, query := range []string{`SELECT erase_request('test', $1, 1::smallint, '\x00')`, `UPDATE attempts SET request_sealed = '\x00' WHERE payment_id = $1`,
		`SELECT erase_callbacks('test', (SELECT customer_id FROM payments WHERE id = $1), '\x00')`} {
		_, err := app.Exec(t.Context(), query, paymentID)
		require.Error(t, err, query)
	}
}

// A payment that brings somebody's details while they are erased: whichever comes first, none are left.
func TestErasingAgainstAPayment(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	for i := range 8 {
		u := h.user(0)
		var erased error
		together(2, func(n int) {
			if n == 1 {
				_, erased = h.s.DoUser(t.Context(), h.ref(u), h.by(), user.Doing{Act: user.Erase})
				return
			}
			step := h.receive(fmt.Sprint(i), fmt.Sprint("R-", i), cny(100))
			r := step.Changes[0].(payment.Receive)
			r.Customer = &payment.Customer{ID: u, Existing: true, Details: map[string]string{"name": "Ada Lovelace"}}
			step.Changes = []ledger.Change{r}
			_, err := h.s.Commit(t.Context(), step)
			if err != nil && !fault.Is(err, fault.KindInvalid, "customer_unknown") {
				t.Error(err)
			}
		})
		if erased != nil {
			require.True(t, fault.Is(erased, fault.KindConflict, "payment_under_way"), "%v", erased)
			continue
		}
		var n int
		require.NoError(t, h.db.Owner.QueryRow(t.Context(), `SELECT count(*) FROM user_details WHERE user_id = $1`, u).Scan(&n))
		require.Zero(t, n)
	}
}
