package payment

import (
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// Mature is the ruling by which a paid payment's money goes from pending to
// available, once.
func Mature(d Dossier, now time.Time) (Ruling, error) {
	p := d.Payment
	for i := range d.Attempts {
		a := &d.Attempts[i]
		if a.Verdict != Succeeded || p.Status != Paid {
			continue
		}
		step := id.Step{Code: id.Mature, Ordinal: a.Ordinal}
		j, err := ledger.Matured(id.Key(p.ID, step), ledger.Capture{
			Chart: ledger.Chart{Book: p.Book, Currency: p.Captured.Currency}, ChannelAccount: a.ChannelAccount,
			Merchant: p.MerchantID, Gross: p.Captured, Fee: p.Fee, At: now})
		return Ruling{Step: step, After: p, Journals: []ledger.Journal{j}}, err
	}
	return Ruling{}, fault.Conflict("nothing_to_mature", "the payment is "+string(p.Status)+", nothing of it is pending")
}
