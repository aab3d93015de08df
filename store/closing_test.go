package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
)

var reported = ledger.Principal{Kind: ledger.ByOperator, ID: "opr_1", Reason: "the month is reported"}

// What the world did in a closed period is booked under the first open date, and so is the payment's business date; what is
// posted by a person's choice of a date is refused.
func TestWhatComesLateGoesToTheNextOpenDate(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	early, late := h.pay("A-1", cny(100)), h.pay("A-2", cny(100))
	h.commit(h.open(early, 1))
	h.commit(h.open(late, 1))
	outcome := func(paymentID string) payment.Outcome {
		o := h.succeeded(paymentID)
		o.EffectiveAt = h.dossier(paymentID).Payment.CreatedAt.AddDate(0, 0, -1)
		return o
	}
	yesterday := outcome(late).EffectiveAt.UTC()
	h.commit(h.settle(early, 1, outcome(early)))
	require.Equal(t, yesterday.Format(time.DateOnly), h.dossier(early).Payment.BusinessDate)

	_, err := h.s.ClosePeriod(t.Context(), id.Test, yesterday, reported)
	require.NoError(t, err)
	h.commit(h.settle(late, 1, outcome(late)))
	today := yesterday.AddDate(0, 0, 1).Truncate(24 * time.Hour)
	require.Equal(t, today.Format(time.DateOnly), h.dossier(late).Payment.BusinessDate)
	j, err := h.s.Journal(t.Context(), id.Test, "", id.Key(late, id.Step{Code: id.Charge, Ordinal: 1}))
	require.NoError(t, err)
	require.Equal(t, today, j.EffectiveAt.UTC())
	require.Equal(t, yesterday.Format(time.DateOnly), h.dossier(early).Payment.BusinessDate, "what was told stays")

	for name, c := range map[string]struct {
		at   time.Time
		code string
	}{
		"closed":    {yesterday, "period_closed"},
		"the past":  {time.Now().AddDate(-1, 0, -5), "effective_at_out_of_range"},
		"tomorrow":  {time.Now().AddDate(0, 0, 1), "effective_at_out_of_range"},
		"long over": {time.Unix(0, 0), "effective_at_out_of_range"},
	} {
		step := h.step(h.s.Mint(id.Transfer), id.Act, 1)
		chart := ledger.Chart{Book: h.Book, Currency: "CNY"}
		j, err := ledger.Post(ledger.Posting{Cause: step.Cause, Kind: "adjusted", EffectiveAt: c.at}, ledger.Dr(chart.Clearing("cha_1"), cny(5)), ledger.Cr(chart.Fees(), cny(5)))
		require.NoError(t, err)
		step.Journals = []ledger.Journal{j}
		h.refused(step, fault.KindInvalid, c.code)
		require.NotEmpty(t, name)
	}
}
