package bank

import (
	"context"

	"paysaga/channels"
	"paysaga/domain/payment"
)

// takenBack tells that the bank took a credit back: the newest of that amount.
func (c *collecting) takenBack(ctx context.Context, m *movement) error {
	var p payin
	found, err := record(ctx, c, payins+"/"+m.rf(), &p)
	if err != nil {
		return err
	}
	out := payment.Outcome{Verdict: payment.Closed, Dead: true}
	w := word{Status: wordReturned, Reason: m.returned, AmountMinor: -m.minor, Currency: m.currency, At: m.at.UTC(), File: c.hash, Row: m.row}
	if !found {
		return c.callback(ctx, channels.SubjectCharge, m.rf(), out, m.row, w)
	}
	in, err := c.lost(ctx, p.Reference, w)
	if err != nil {
		return err
	}
	if in != nil {
		out.ChannelID = in.ID
		if err := keep(ctx, c, own(credits, p.Reference)+"/"+in.ID+reversed, w); err != nil {
			return err
		}
	}
	return c.callback(ctx, channels.SubjectCharge, p.Reference, out, m.row, w)
}

// lost is the credit that a line of a file takes back: the one that it took back
// already, should the file be read again, else the newest of its amount.
func (c *collecting) lost(ctx context.Context, reference string, w word) (*credit, error) {
	all, err := c.allCredits(ctx, reference)
	if err != nil {
		return nil, err
	}
	var newest *credit
	for i := range all {
		in := &all[i].credit
		switch back := all[i].back; {
		case back != nil && back.File == w.File && back.Row == w.Row:
			return in, nil
		case back == nil && in.AmountMinor == w.AmountMinor && in.Currency == w.Currency:
			newest = in
		}
	}
	return newest, nil
}
