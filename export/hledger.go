package export

import (
	"bufio"
	"context"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

// roots are the top-level accounts, with hledger's letters for their types. Memo accounts have none: they are in no balance sheet.
var roots = []struct {
	kind         ledger.Kind
	name, letter string
}{
	{ledger.Asset, "assets", "A"}, {ledger.Liability, "liabilities", "L"}, {ledger.Income, "revenues", "R"},
	{ledger.Expense, "expenses", "X"}, {ledger.Equity, "equity", "E"}, {ledger.Memo, "memo", ""},
}

// AccountName is an account's in hledger: its kind's tree, and its code with colons. Two accounts of one currency never share one.
func AccountName(a ledger.Account) string {
	for _, r := range roots {
		if r.kind == a.Kind {
			return r.name + ":" + strings.ReplaceAll(a.Code, "/", ":")
		}
	}
	return string(a.Kind) + ":" + strings.ReplaceAll(a.Code, "/", ":")
}

// Hledger writes a book as an hledger journal: declarations, what stood before the range, a transaction per journal, and at the end an
// assertion of each account's balance, so that `hledger check --strict` proves that nothing was lost on the way.
func Hledger(ctx context.Context, out io.Writer, source Source, o Options) error {
	r, err := start(ctx, source, o)
	if err != nil {
		return err
	}
	buffer := bufio.NewWriterSize(out, 64<<10)
	h := &hledger{run: r, checked: checked{out: buffer}}
	for _, part := range []func() error{h.declare, h.opening, h.transactions, h.assertions} {
		if err := part(); err != nil {
			return err
		}
		if h.err != nil {
			return h.err
		}
	}
	return buffer.Flush()
}

type hledger struct {
	*run
	checked
	newest time.Time // the newest date so far
}

// declare names accounts and commodities.
func (h *hledger) declare() error {
	h.write("; paysaga, book ", string(h.Book), ", final at ", h.To.Format(ledger.InstantFormat), ", dated by ", string(h.By), " time\n")
	h.write("decimal-mark .\n\n")
	for _, r := range roots {
		if h.write("account ", r.name); r.letter != "" {
			h.write("  ; type:", r.letter)
		}
		h.write("\n")
	}
	used, last := map[money.Currency]bool{}, ""
	err := h.accounts(h.To, func(b ledger.Balance) error {
		used[b.Currency] = true
		if name := AccountName(b.Account); name != last {
			h.write("account ", name, "\n")
			last = name
		}
		return h.err
	})
	h.write("\n")
	for _, c := range slices.Sorted(maps.Keys(used)) {
		text := money.New(100_000, c).Decimal()
		if !strings.Contains(text, ".") {
			text += "." // hledger wants a decimal mark, also where no decimals follow
		}
		h.write("commodity ", string(c), " ", text, "\n")
	}
	return err
}

// opening is what stood on the accounts before the range, in one transaction.
func (h *hledger) opening() error {
	if h.begin == 0 {
		return nil
	}
	began := false
	return h.accounts(h.before(), func(b ledger.Balance) error {
		if b.Minor == 0 {
			return nil
		}
		if !began {
			began = true
			h.head(h.begin.BookedAt(), "", "opening balances", "")
		}
		h.posting(b.Account, b.Minor)
		return h.err
	})
}

func (h *hledger) transactions() error {
	return h.journals(func(j ledger.Posted) error {
		at := j.EffectiveAt
		if h.By == ledger.ByBooking {
			at = j.Number.BookedAt()
		}
		tags := "number:" + strconv.FormatInt(int64(j.Number), 10) + ", booked:" + j.Number.BookedAt().Format(ledger.InstantFormat) +
			", effective:" + j.EffectiveAt.Format("2006-01-02T15:04:05.000000Z")
		if j.Reverses != "" {
			tags += ", reverses:" + word(j.Reverses)
		}
		h.head(at, j.Cause, j.Kind, tags)
		for _, l := range j.Legs {
			h.posting(l.Account, l.Amount)
		}
		return h.err
	})
}

// assertions say what each account holds now. They are dated last, because hledger checks them in the order of dates.
func (h *hledger) assertions() error {
	began := false
	return h.accounts(h.To, func(b ledger.Balance) error {
		if !began {
			began = true
			h.head(later(h.newest, h.To), "", "closing balances, asserted", "")
		}
		balance := money.New(b.Minor, b.Currency).Decimal()
		h.write("    ", AccountName(b.Account), "  ", string(b.Currency), " ", money.Zero(b.Currency).Decimal(), " = ", string(b.Currency), " ", balance, "\n")
		return h.err
	})
}

// head begins a transaction.
func (h *hledger) head(at time.Time, code, description, tags string) {
	h.newest = later(h.newest, at)
	h.write("\n", at.UTC().Format(time.DateOnly), " * ")
	if code != "" {
		h.write("(", word(code), ") ")
	}
	h.write(word(description))
	if tags != "" {
		h.write("  ; ", tags)
	}
	h.write("\n")
}

func (h *hledger) posting(a ledger.Account, minor int64) {
	h.write("    ", AccountName(a), "  ", string(a.Currency), " ", money.New(minor, a.Currency).Decimal(), "\n")
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// word keeps a text from being read as something else of hledger's.
func word(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(";()|", r) {
			return '_'
		}
		return r
	}, text)
}
