package api

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

// ListAccounts lists accounts of the ledger: a merchant's own, or for an operator the book's (I-25).
func (s *server) ListAccounts(c echo.Context, p ListAccountsParams) error {
	who := callerOf(c)
	filter := ledger.AccountFilter{Book: who.Book, Owner: who.merchant, Code: value(p.Code), Currency: money.Currency(value(p.Currency)),
		After: value(p.StartingAfter), Limit: pageSize(p.Limit)}
	ctx, cancel := s.reading(c)
	defer cancel()
	list, more, err := s.Ledger.LedgerAccounts(ctx, filter)
	if err != nil {
		return err
	}
	page := AccountList{Data: []Account{}, HasMore: more}
	for _, a := range list {
		page.Data = append(page.Data, accountView(a))
	}
	return reply(c, http.StatusOK, mediaJSON, page)
}

// GetAccount reads one.
func (s *server) GetAccount(c echo.Context, accountID AccountID, _ GetAccountParams) error {
	return shown(s, c, id.Account, accountID, "account", s.Ledger.LedgerAccount, accountView)
}

// GetAccountBalance reads what an account holds.
func (s *server) GetAccountBalance(c echo.Context, accountID AccountID, p GetAccountBalanceParams) error {
	if !id.Is(id.Account, accountID) {
		return fault.NotFound("account")
	}
	who, by := callerOf(c), ledger.ByBooking
	if p.By != nil {
		by = *p.By
	}
	ctx, cancel := s.reading(c)
	defer cancel()
	b, err := s.Ledger.Balance(ctx, who.Book, who.merchant, accountID, value(p.At), by)
	if err != nil {
		return err
	}
	v := AccountBalance{Object: "balance", Livemode: b.Book.Livemode(), Account: b.ID, Code: b.Code, Currency: string(b.Currency), Normal: b.Normal,
		Balance: balanceText(b.Account, b.Minor), By: b.By, FinalUpTo: b.FinalUpTo, Final: b.By == ledger.ByBooking && !b.At.IsZero()}
	if !b.At.IsZero() {
		v.At = &b.At
	}
	return reply(c, http.StatusOK, mediaJSON, v)
}

// ListEntries reads a page of an account's statement.
func (s *server) ListEntries(c echo.Context, accountID AccountID, p ListEntriesParams) error {
	if !id.Is(id.Account, accountID) {
		return fault.NotFound("account")
	}
	who := callerOf(c)
	filter := ledger.StatementFilter{Book: who.Book, Owner: who.merchant, Account: accountID, From: value(p.From), To: value(p.To),
		After: value(p.StartingAfter), Limit: pageSize(p.Limit)}
	ctx, cancel := s.reading(c)
	defer cancel()
	st, err := s.Ledger.Statement(ctx, filter)
	if err != nil {
		return err
	}
	v := EntryList{Object: "statement", Livemode: st.Book.Livemode(), Account: st.ID, Code: st.Code, Currency: string(st.Currency), Normal: st.Normal,
		From: st.From, To: st.To, FinalUpTo: st.FinalUpTo, OpeningBalance: balanceText(st.Account, st.Opening),
		ClosingBalance: balanceText(st.Account, st.Closing), Data: []Entry{}, HasMore: st.More}
	for _, l := range st.Lines {
		side, amount := sideOf(l.Amount, st.Currency)
		v.Data = append(v.Data, Entry{Object: "entry", Journal: l.Cause, Number: numberText(l.Number), Kind: l.Kind, Side: side, Amount: amount,
			Balance: balanceText(st.Account, l.Balance), BookedAt: l.Number.BookedAt(), EffectiveAt: l.EffectiveAt})
	}
	return reply(c, http.StatusOK, mediaJSON, v)
}

// accountView is an account as callers see it.
func accountView(a ledger.Opened) Account {
	v := Account{ID: a.ID, Object: "account", Livemode: a.Book.Livemode(), Code: a.Code, Currency: string(a.Currency), Kind: a.Kind,
		Normal: a.Normal, Hot: a.Hot, OpenedAt: a.OpenedAt}
	if a.Owner != "" {
		v.Owner = &a.Owner
	}
	if a.Floored {
		floor := money.New(a.Floor, a.Currency).Decimal()
		v.Floor = &floor
	}
	if !a.ClosedAt.IsZero() {
		v.ClosedAt = &a.ClosedAt
	}
	return v
}

// balanceText is a balance on the account's normal side.
func balanceText(a ledger.Account, minor int64) string {
	return money.New(a.OnNormalSide(minor), a.Currency).Decimal()
}

// sideOf tells a signed amount as a side and how much.
func sideOf(minor int64, currency money.Currency) (ledger.Side, string) {
	if minor < 0 {
		return ledger.Credit, money.New(-minor, currency).Decimal()
	}
	return ledger.Debit, money.New(minor, currency).Decimal()
}

func isAccount(text string) bool { return id.Is(id.Account, text) }

// instant reports whether text is a time that the books can tell.
func instant(text string) bool {
	t, err := time.Parse(time.RFC3339, text)
	return err == nil && t.Year() >= 1970 && t.Year() < 2200
}
