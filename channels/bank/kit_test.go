package bank_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/bank"
	"paysaga/channels/bank/fake"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// world is paysaga's side and the bank's, with a folder between them.
type world struct {
	*testing.T
	disk  *fake.Disk
	bank  *fake.Bank
	acct  channels.Account
	inbox map[string]bank.Told // what was told, by event: as the store keeps it
	minor byte

	mu  sync.Mutex
	now time.Time
}

const (
	ourIBAN   = "DE89370400440532013000"
	theirIBAN = "FR1420041010050500013M02606"
)

// The clock starts on a Monday at ten; the cut-off is at two.
func newWorld(t *testing.T) *world {
	w := &world{T: t, now: time.Date(2026, 11, 16, 10, 0, 0, 0, time.UTC), inbox: map[string]bank.Told{}}
	w.disk = fake.NewDisk(w.clock)
	w.bank = fake.New(w.disk, ourIBAN, w.clock)
	w.acct = channels.Account{ID: "cha_0c0300j3w460l0pcfcz6z0kx42", Channel: bank.Name, Book: id.Test, Credentials: map[string]string{
		bank.FolderPath: "/srv/bank", bank.Holder: "Paysaga Test GmbH", bank.AccountIBAN: ourIBAN, bank.AccountBIC: "COBADEFFXXX"}}
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// open is the adapter over a folder.
func (w *world) open(f bank.Folder) channels.Channel {
	return channels.Guard(bank.New(func(string) (bank.Folder, error) { return f, nil }))
}

func (w *world) channel() channels.Channel { return w.open(w.disk.Open()) }

// call is a call under a key that is born now.
func (w *world) call(p id.Prefix, code id.Code) channels.Call {
	w.Helper()
	w.minor++
	key, err := channels.NewKey(id.Key(id.New(p, uint64(w.clock().UnixMilli()), [10]byte{w.minor}), id.Step{Code: code, Ordinal: 1}),
		"hash", w.clock())
	require.NoError(w, err)
	return channels.Call{Account: w.acct, Key: key, Now: w.clock()}
}

func (w *world) at(c channels.Call) channels.Call { c.Now = w.clock(); return c }

// tell stores a callback as paysaga's store does: once.
func (w *world) tell(_ context.Context, t bank.Told) error {
	if _, there := w.inbox[t.EventID]; !there {
		w.inbox[t.EventID] = t
	}
	return nil
}

// work is a round on paysaga's side.
func (w *world) work() bank.Report {
	w.Helper()
	did, err := w.round(w.disk.Open())
	require.NoError(w, err)
	require.False(w, did.Busy)
	return did
}

func (w *world) round(f bank.Folder) (bank.Report, error) {
	return bank.New(func(string) (bank.Folder, error) { return f, nil }).Work(w.Context(), w.acct, w.clock(), w.tell)
}

// exchange lets our file leave, the bank take it and answer, and reads that.
func (w *world) exchange() {
	w.Helper()
	w.work()
	require.NoError(w, w.bank.Take())
	w.bank.Tell()
	w.work()
}

var request = channels.PayoutRequest{AmountMinor: 12345, Currency: "EUR", Destination: "iban:" + theirIBAN, Name: "Zoë Łukasz & Söhne", Note: "invoice // 7"}

func (w *world) payout() channels.Call {
	w.Helper()
	c := w.call(id.Payout, id.PayoutOut)
	out, err := w.channel().Payout(w.Context(), c, request)
	require.NoError(w, err)
	require.Equal(w, payment.Pending, out.Verdict, "%+v", out)
	return c
}

func (w *world) ask(c channels.Call) payment.Outcome {
	w.Helper()
	out, err := w.channel().AskPayout(w.Context(), w.at(c), request)
	require.NoError(w, err)
	return out
}

// told is the only callback so far about a reference.
func (w *world) told(reference string) (list []bank.Told) {
	for _, t := range w.inbox {
		if t.Reference == reference {
			list = append(list, t)
		}
	}
	return list
}
