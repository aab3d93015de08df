package bank_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/bank"
	"paysaga/channels/bank/fake"
	"paysaga/channels/channeltest"
	"paysaga/channels/wire"
	"paysaga/domain/fault"
	"paysaga/domain/giro"
	"paysaga/domain/payment"
)

// What the suite asks of every channel; the faults of a folder are struck in kill_test.go.
func TestTheBankPassesTheConformanceSuite(t *testing.T) {
	t.Parallel()
	channeltest.Run(t, func(t *testing.T) *channeltest.Harness {
		w := newWorld(t)
		wrong := map[string]string{}
		for name, value := range w.acct.Credentials {
			wrong[name] = value
		}
		wrong[bank.AccountIBAN] = "DE88370400440532013000"
		delete(wrong, bank.Holder)
		waiting, slow := transferIn, transferIn
		return &channeltest.Harness{
			New: func(*wire.Client) channels.Channel {
				return bank.New(func(string) (bank.Folder, error) { return w.disk.Open(), nil })
			},
			Account: w.acct, Rejected: map[string]string{bank.AccountIBAN: wrong[bank.AccountIBAN]},
			Now: w.clock, Advance: w.advance,
			OK: &transferIn, Waiting: &waiting, PendingRefund: &slow, PaysLater: true, RefundsLater: true, PaysClosed: true,
			Payout:       &request,
			FinishPayout: func(channels.Key) bool { w.settle("ACSC"); return true },
			FinishRefund: func(k channels.Key, act string) bool { return w.finish(k.Reference, act) },
			Book:         w.entries,
			Pay: func(k channels.Key) bool {
				w.pays(transferIn.AmountMinor, giro.ReferenceFor(k.Reference, 0))
				w.hear()
				return true
			},
			NoNetwork: "a folder", RefundsUntold: true,
		}
	})
}

// settle lets what is pending leave, and the bank say a status of all of it.
func (w *world) settle(status string) {
	w.Helper()
	w.bank.Decide = func(fake.Transfer) (string, string) { return status, "AC04" }
	w.advance(24 * time.Hour)
	w.exchange()
}

func (w *world) finish(reference, act string) bool {
	w.Helper()
	switch act {
	case "settle":
		w.settle("ACSC")
	case "decline":
		w.settle("RJCT")
	case "return":
		w.settle("ACSC")
		w.bank.Return(reference, "AC01")
		w.hear()
	}
	return true
}

// entries are the bank's lines about a key, refunds under their charge too.
func (w *world) entries(k channels.Key) (list []channeltest.Entry) {
	rf := giro.ReferenceFor(k.Reference, 0)
	for _, e := range w.bank.Book() {
		switch {
		case e.RF == rf && e.Minor > 0:
			list = append(list, channeltest.Entry{ChannelID: w.askCharge(channels.Call{Account: w.acct, Key: k}).ChannelID, Paid: true,
				AmountMinor: e.Minor, CapturedMinor: e.Minor})
		case e.EndToEnd == k.Reference && e.Minor < 0:
			list = append(list, channeltest.Entry{ChannelID: e.EndToEnd, Paid: true, AmountMinor: -e.Minor})
		}
	}
	for _, e := range w.bank.Book() { // what went back: its text names the charge
		if e.Text == "Refund "+rf && len(list) > 0 {
			list[0].RefundedMinor -= e.Minor
		}
		if e.Returned != "" && len(list) > 0 && w.refunds(e.EndToEnd, rf) {
			list[0].RefundedMinor -= e.Minor
		}
	}
	return list
}

// refunds says whether a transfer was a refund of what came under a reference.
func (w *world) refunds(endToEnd, rf string) bool {
	for _, e := range w.bank.Book() {
		if e.EndToEnd == endToEnd && e.Text == "Refund "+rf {
			return true
		}
	}
	return false
}

// A folder that isn't there answers nothing: not that there is nothing.
func TestAMissingFolderIsUnavailable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	gone := fault.Unavailable("folder_missing", "the folder isn't there", nil)
	ch := channels.Guard(bank.New(func(string) (bank.Folder, error) { return nil, gone }))
	assert.Equal(t, fault.KindUnavailable, fault.Of(ch.Probe(t.Context(), w.acct)))
	_, err := ch.AskPayout(t.Context(), w.payout(), request)
	assert.Equal(t, fault.KindUnavailable, fault.Of(err), "%v", err)
	f := w.disk.Open()
	f.Strike = func(string, string) fake.Fault { return fake.Before }
	assert.Equal(t, fault.KindUnavailable, fault.Of(w.open(f).Probe(t.Context(), w.acct)))
}

// Files that can't be believed go aside, whole, and say why.
func TestTheInboxRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.payout()
	w.advance(5 * time.Hour)
	w.work()
	require.NoError(t, w.bank.Take())
	honest := string(w.disk.Get(w.disk.Files(bank.Inbox)[0]))
	w.disk.Delete(w.disk.Files(bank.Inbox)[0])
	for reason, content := range map[string]string{
		"it is no message that we read":                          `<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08"></Document>`,
		"it is about a file that we didn't send":                 replaced(t, honest, "<OrgnlMsgId>PS", "<OrgnlMsgId>../PS"),
		"it is about something that wasn't in the file it names": replaced(t, honest, c.Key.Reference, "another"),
		"it has a status that we don't know":                     replaced(t, honest, "ACSC", "DONE"),
		"an amount can't be read":                                replaced(t, honest, "123.45", "123.456"),
		"it has a DOCTYPE":                                       "<!DOCTYPE x>" + honest[38:],
		"it is about another account":                            `<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"><BkToCstmrDbtCdtNtfctn><Ntfctn><Id>1</Id><Acct><Id><IBAN>FR1420041010050500013M02606</IBAN></Id></Acct></Ntfctn></BkToCstmrDbtCdtNtfctn></Document>`,
		"it ends before it is complete":                          honest[:len(honest)/2],
	} {
		w.disk.Put("inbox/bad.xml", []byte(content))
		w.advance(10 * time.Minute)
		did := w.work()
		require.Len(t, did.Problems, 1, reason)
		assert.Contains(t, did.Problems[0], reason)
		assert.Contains(t, did.Problems[0], "bad.xml, line ")
		assert.Empty(t, w.disk.Files(bank.Inbox))
		assert.Equal(t, payment.Pending, w.ask(c).Verdict, "%s: something of it was believed", reason)
	}
	assert.Len(t, w.disk.Files(bank.Refused), 8)
	w.disk.Put("inbox/.hidden.xml", []byte(honest))
	w.disk.Put("inbox/half.xml.part", []byte(honest))
	w.disk.Put("inbox/slow.xml", []byte(honest[:len(honest)/2])) // still being written
	did := w.work()
	assert.Empty(t, did.Problems)
	assert.Equal(t, payment.Pending, w.ask(c).Verdict)
	w.disk.Put("inbox/slow.xml", []byte(honest))
	w.work()
	assert.Equal(t, payment.Succeeded, w.ask(c).Verdict)
}

func replaced(t *testing.T, text, old, with string) string {
	t.Helper()
	require.Contains(t, text, old)
	return strings.ReplaceAll(text, old, with)
}

// What is told and can't be stored is told again: the file stays until then.
func TestAFileStaysUntilWhatItSaysIsStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.payout()
	w.advance(5 * time.Hour)
	w.work()
	require.NoError(t, w.bank.Take())
	down := fault.Unavailable("database_down", "the database is down", nil)
	_, err := bank.New(func(string) (bank.Folder, error) { return w.disk.Open(), nil }).Work(t.Context(), w.acct, w.clock(),
		func(context.Context, bank.Told) error { return down })
	require.ErrorIs(t, err, down)
	assert.NotEmpty(t, w.disk.Files(bank.Inbox))
	w.work()
	assert.Len(t, w.told(c.Key.Reference), 1)
}
