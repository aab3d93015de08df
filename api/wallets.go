package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"paysaga/domain/fault"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/user"
)

// maxExported is how many lines a CSV has at most: it is whole in memory before it leaves, so that none is cut off by a failure.
const maxExported = 50_000

// ListWallets shows what a user has.
func (s *server) ListWallets(c echo.Context, userID UserID, _ ListWalletsParams) error {
	ref, err := userRef(c, userID)
	if err != nil {
		return err
	}
	ctx, cancel := s.reading(c)
	defer cancel()
	list, err := s.Users.Wallets(ctx, ref)
	if err != nil {
		return err
	}
	page := WalletList{Data: []Wallet{}}
	for _, w := range list {
		page.Data = append(page.Data, w.Public(ref))
	}
	return reply(c, http.StatusOK, mediaJSON, page)
}

// GetWalletHistory reads a page of what happened in a wallet, out of the ledger's own statement: what it shows is what is booked.
func (s *server) GetWalletHistory(c echo.Context, userID UserID, currency string, p GetWalletHistoryParams) error {
	ctx, cancel := s.reading(c)
	defer cancel()
	ref, filter, err := s.walletOf(ctx, c, userID, currency)
	if err != nil {
		return err
	}
	filter.From, filter.To, filter.After, filter.Limit = value(p.From), value(p.To), value(p.StartingAfter), pageSize(p.Limit)
	st, err := s.Ledger.Statement(ctx, filter)
	if err != nil {
		return err
	}
	v := WalletHistory{Object: "wallet_history", Livemode: ref.Book.Livemode(), UserID: ref.ID, Currency: string(st.Currency), From: st.From, To: st.To,
		OpeningBalance: balanceText(st.Account, st.Opening), ClosingBalance: balanceText(st.Account, st.Closing), Data: []WalletEntry{}, HasMore: st.More}
	for _, l := range st.Lines {
		e := WalletEntry{Object: "wallet_entry", Journal: l.Cause, BusinessID: businessOf(l.Cause), Kind: l.Kind, Direction: "in",
			Amount: balanceText(st.Account, l.Amount), Balance: balanceText(st.Account, l.Balance), BookedAt: l.Number.BookedAt(), EffectiveAt: l.EffectiveAt}
		if l.Amount > 0 { // a wallet is ours to owe: what comes in is a credit
			e.Direction, e.Amount = "out", money.New(l.Amount, st.Currency).Decimal()
		}
		v.Data = append(v.Data, e)
	}
	return reply(c, http.StatusOK, mediaJSON, v)
}

// walletOf finds the account of a wallet that the caller may read (I-25).
func (s *server) walletOf(ctx context.Context, c echo.Context, userID, currency string) (user.Ref, ledger.StatementFilter, error) {
	ref, err := userRef(c, userID)
	if err != nil {
		return ref, ledger.StatementFilter{}, err
	}
	list, err := s.Users.Wallets(ctx, ref)
	if err != nil {
		return ref, ledger.StatementFilter{}, err
	}
	for _, w := range list {
		if string(w.Currency) == currency && w.AccountID != "" {
			return ref, ledger.StatementFilter{Book: ref.Book, Owner: ref.ID, Account: w.AccountID}, nil
		}
	}
	return ref, ledger.StatementFilter{}, fault.NotFound("wallet")
}

func businessOf(cause string) string {
	business, _, _ := strings.Cut(cause, ":")
	return business
}

// ExportWalletHistory writes a wallet's history as CSV.
func (s *server) ExportWalletHistory(c echo.Context, userID UserID, currency string, p ExportWalletHistoryParams) error {
	ctx, cancel := s.reading(c)
	defer cancel()
	_, filter, err := s.walletOf(ctx, c, userID, currency)
	if err != nil {
		return err
	}
	filter.From, filter.To, filter.Limit = value(p.From), value(p.To), maxPage
	t := newTable("booked_at", "effective_at", "kind", "business_id", "amount", "balance", "currency")
	for more := true; more; {
		st, err := s.Ledger.Statement(ctx, filter)
		if err != nil {
			return err
		}
		filter.To = st.To // the pages are of one span, also when its end wasn't named
		for _, l := range st.Lines {
			filter.After = l.Cause
			t.add(l.Number.BookedAt().Format(time.RFC3339Nano), l.EffectiveAt.UTC().Format(time.RFC3339Nano), l.Kind, businessOf(l.Cause),
				balanceText(st.Account, l.Amount), balanceText(st.Account, l.Balance), string(st.Currency))
		}
		if more = st.More; t.lines > maxExported {
			return fault.Invalid("range_too_large", "from", "this is more than 50,000 entries; ask for a shorter span")
		}
	}
	return t.reply(c, "wallet-"+userID+"-"+currency+".csv")
}

// table is a CSV on its way out.
type table struct {
	b     bytes.Buffer
	w     *csv.Writer
	lines int
}

func newTable(columns ...string) *table {
	t := &table{}
	t.w = csv.NewWriter(&t.b)
	_ = t.w.Write(columns) // into memory: it can't fail
	return t
}

// add writes a line. A spreadsheet takes a text that begins with certain characters for a formula, so those are quoted; amounts aren't texts.
func (t *table) add(fields ...string) {
	for i, f := range fields {
		if f != "" && strings.ContainsRune("=+@\t\r", rune(f[0])) || strings.HasPrefix(f, "-") && strings.Trim(f, "-0123456789.") != "" {
			fields[i] = "'" + f
		}
	}
	_ = t.w.Write(fields)
	t.lines++
}

func (t *table) reply(c echo.Context, name string) error {
	t.w.Flush()
	c.Response().Header().Set("Cache-Control", "no-store")
	c.Response().Header().Set("X-Content-Type-Options", "nosniff")
	c.Response().Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	return c.Blob(http.StatusOK, "text/csv", t.b.Bytes())
}
