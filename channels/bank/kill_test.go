package bank_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/bank"
	"paysaga/channels/bank/fake"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// dying is a process that is struck at its nth operation on the folder. One that
// is killed does nothing afterwards; one that only failed goes on.
type dying struct {
	at, seen int
	how      fake.Fault
	killed   bool
	dead     bool
}

func (d *dying) strike(string, string) fake.Fault {
	d.seen++
	switch {
	case d.dead:
		return fake.Before
	case d.seen-1 == d.at:
		d.dead = d.killed
		return d.how
	}
	return fake.None
}

// day is a day of a bank account: payouts that are settled, refused and
// returned, and a customer who pays. Each step is repeated by another process
// until it works, as sagas and relays do.
func day(t *testing.T, d *dying) (w *world, operations int) {
	w = newWorld(t)
	w.bank.Decide = func(tr fake.Transfer) (string, string) {
		if tr.Minor == 200 {
			return "RJCT", "AC04"
		}
		return "ACSC", ""
	}
	folder := w.disk.Open()
	folder.Strike = d.strike
	step := func(what string, do func(bank.Folder) error) {
		t.Helper()
		for try := 0; ; try++ {
			err := do(folder)
			if err == nil {
				return
			}
			require.Contains(t, []fault.Kind{fault.KindUnavailable, fault.KindUnknown}, fault.Of(err), "%s: %v", what, err)
			require.Less(t, try, 3, "%s: %v", what, err)
			w.disk.Crash()
			folder = w.disk.Open()
			if !d.killed && !d.dead {
				folder.Strike = d.strike
			}
		}
	}
	var calls []channels.Call
	for i := range 3 {
		calls = append(calls, w.call(id.Payout, id.PayoutOut))
		r := request
		r.AmountMinor = int64(100 * (i + 1))
		step("payout", func(f bank.Folder) error {
			out, err := bank.New(func(string) (bank.Folder, error) { return f, nil }).Payout(t.Context(), calls[i], r)
			if err == nil {
				require.Equal(t, payment.Pending, out.Verdict)
			}
			return err
		})
	}
	charge := w.call(id.Payment, id.Charge)
	var rf string
	step("charge", func(f bank.Folder) error {
		out, err := bank.New(func(string) (bank.Folder, error) { return f, nil }).Charge(t.Context(), charge, transferIn)
		if err == nil {
			rf = out.Action.Parameters["reference"]
		}
		return err
	})
	work := func(f bank.Folder) error { _, err := w.round(f); return err }
	w.advance(5 * time.Hour)
	step("send", work)
	require.NoError(t, w.bank.Take())
	w.bank.Receive(fake.Booking{Minor: transferIn.AmountMinor, Currency: "EUR", RF: rf, IBAN: theirIBAN, Name: "Ada"})
	w.bank.Tell()
	step("collect", work)
	w.advance(48 * time.Hour)
	w.bank.Return(calls[2].Key.Reference, "AC01")
	w.bank.Tell()
	step("collect again", work)
	return w, d.seen
}

// Whoever dies, or fails, at whatever operation: each instruction reaches the
// bank once, each word of the bank is told once, and nothing is left behind.
func TestDyingAtEachOperationChangesNothing(t *testing.T) {
	t.Parallel()
	clean, operations := day(t, &dying{at: -1})
	require.Greater(t, operations, 60)
	for at := range operations {
		for _, how := range []fake.Fault{fake.Before, fake.After} {
			for _, killed := range []bool{true, false} {
				name := fmt.Sprintf("operation %d, fault %d, killed %t", at, how, killed)
				w, _ := day(t, &dying{at: at, how: how, killed: killed})
				require.Equal(t, clean.bank.Seen(), w.bank.Seen(), "%s: files", name)
				require.Equal(t, clean.bank.Book(), w.bank.Book(), "%s: the bank's book", name)
				require.Equal(t, clean.inbox, w.inbox, "%s: what was told", name)
				for _, dir := range []string{bank.Inbox, bank.Outbox, bank.Refused, "book/pending", "book/prepared"} {
					require.Empty(t, w.disk.Files(dir), "%s: %s", name, dir)
				}
			}
		}
	}
}

// Two processes at one folder: the second waits for its turn.
func TestOnlyOneWorksInAFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	unlock, err := w.disk.Open().Lock(t.Context())
	require.NoError(t, err)
	did, err := w.round(w.disk.Open())
	require.NoError(t, err)
	require.True(t, did.Busy)
	unlock()
	w.work()
}
