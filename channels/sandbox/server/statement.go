package server

import (
	"bufio"
	"net/http"
	"strings"
	"time"
)

// row is one line of a statement.
type row struct {
	kind, id, reference, key, original string
	amount                             int64
	currency                           string
	at                                 time.Time
}

// StatementHeader is the first line of a statement. The last one is "end,<rows>": without it the file is cut.
const StatementHeader = "kind,id,reference,key,original_id,amount_minor,fee_minor,currency,occurred_at"

// statement is GET /v1/statements/{day}: what moved on one day of UTC, as CSV. Money out is negative.
func (s *Server) statement(w http.ResponseWriter, r *http.Request) error {
	account, err := s.account(r)
	if err != nil {
		return err
	}
	day, err := time.Parse(time.DateOnly, r.PathValue("day"))
	if err != nil {
		return invalid("day", "a day is YYYY-MM-DD")
	}
	f := s.faults.match("statement", "*", "")
	if s.before(w, r, f) || s.after(w, r, f) {
		return nil
	}
	rows := s.rows(account, day, day.AddDate(0, 0, 1))
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	out := bufio.NewWriter(w)
	_, _ = out.WriteString(StatementHeader + "\n")
	for _, x := range rows {
		_, _ = out.WriteString(strings.Join([]string{x.kind, x.id, x.reference, quote(x.key), x.original, itoa(x.amount), "0",
			x.currency, x.at.Format(time.RFC3339Nano)}, ",") + "\n")
	}
	_, _ = out.WriteString("end," + itoa(int64(len(rows))) + "\n")
	_ = out.Flush()
	return nil
}

// quote makes a CSV cell of a key, the only field whose alphabet has commas and quotes in it.
func quote(text string) string {
	if !strings.ContainsAny(text, `,"`) {
		return text
	}
	return `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
}

func (s *Server) rows(account string, from, to time.Time) []row {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	within := func(at time.Time) bool { return !at.IsZero() && !at.Before(from) && at.Before(to) }
	var rows []row
	for _, o := range s.book.order {
		switch x := o.(type) {
		case *Charge:
			if x.Account != account {
				continue
			}
			for _, p := range x.Captures {
				if p.Decline == nil && within(p.At) {
					rows = append(rows, row{"capture", p.ID, p.Reference, p.Key, x.ID, p.AmountMinor, p.Currency, p.At})
				}
			}
			if len(x.Captures) == 0 && x.State == Succeeded && within(x.SucceededAt) {
				rows = append(rows, row{"charge", x.ID, x.Reference, x.Key, "", x.AmountMinor, x.Currency, x.SucceededAt})
			}
		case *Move:
			if x.Account == account && x.State == Succeeded && within(x.SucceededAt) {
				rows = append(rows, row{x.Kind, x.ID, x.Reference, x.Key, x.ChargeID, -x.AmountMinor, x.Currency, x.SucceededAt})
			}
		}
	}
	return rows
}
