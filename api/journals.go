package api

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"paysaga/domain/fault"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

// GetJournal reads a journal by its cause. A merchant sees the entries on its own accounts (I-25).
func (s *server) GetJournal(c echo.Context, journalID JournalID, _ GetJournalParams) error {
	if !isCause(journalID) {
		return fault.NotFound("journal")
	}
	who := callerOf(c)
	ctx, cancel := s.reading(c)
	defer cancel()
	j, err := s.Ledger.Journal(ctx, who.Book, who.merchant, journalID)
	if err != nil {
		return err
	}
	v := Journal{ID: j.Cause, Object: "journal", Livemode: j.Book.Livemode(), Number: numberText(j.Number), Kind: j.Kind,
		BookedAt: j.Number.BookedAt(), EffectiveAt: j.EffectiveAt, EntryCount: j.Count, Entries: []JournalEntry{}}
	if j.Reverses != "" {
		v.Reverses = &j.Reverses
	}
	for _, l := range j.Legs {
		side, amount := sideOf(l.Amount, l.Account.Currency)
		v.Currency = string(l.Account.Currency)
		v.Entries = append(v.Entries, JournalEntry{Account: l.ID, Code: l.Account.Code, Side: side, Amount: amount})
	}
	return reply(c, http.StatusOK, mediaJSON, v)
}

// GetTrialBalance reads the trial balance. Part of a book doesn't balance, so it is for those who may see all of it.
func (s *server) GetTrialBalance(c echo.Context, p GetTrialBalanceParams) error {
	who := callerOf(c)
	switch {
	case who.Kind != ledger.ByOperator:
		return fault.Denied("operators_only", "the trial balance is the whole book's: only operators see it")
	case who.merchant != "":
		return fault.Invalid("merchant_unexpected", merchantHeader, "the trial balance is the whole book's")
	}
	ctx, cancel := s.reading(c)
	defer cancel()
	t, err := s.Ledger.TrialBalance(ctx, who.Book, value(p.At), money.Currency(value(p.Currency)))
	if err != nil {
		return err
	}
	v := TrialBalance{Object: "trial_balance", Livemode: t.Book.Livemode(), At: t.At, FinalUpTo: t.FinalUpTo, Currencies: []TrialCurrency{}}
	for _, cur := range t.Currencies {
		v.Currencies = append(v.Currencies, TrialCurrency{Currency: string(cur.Currency), Debit: money.New(cur.Debit, cur.Currency).Decimal(),
			Credit: money.New(cur.Credit, cur.Currency).Decimal(), Lines: trialLines(cur.Currency, cur.Lines), Memo: trialLines(cur.Currency, cur.Memo)})
	}
	return reply(c, http.StatusOK, mediaJSON, v)
}

func trialLines(currency money.Currency, list []ledger.TrialLine) []TrialLine {
	lines := []TrialLine{}
	for _, l := range list {
		lines = append(lines, TrialLine{Kind: l.Kind, Class: l.Class, Accounts: l.Accounts, Debit: money.New(l.Debit, currency).Decimal(),
			Credit: money.New(l.Credit, currency).Decimal()})
	}
	return lines
}

// numberText is a journal's number on the wire: beyond 2^53, so not a JSON number.
func numberText(n ledger.Number) string { return strconv.FormatInt(int64(n), 10) }

// isCause reports whether text may name a journal.
func isCause(text string) bool { return visible(text, 128) }
