package posting

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/store"
)

// request is what comes over HTTP: one journal, or a bulk that is booked whole
// or not at all, as peers' are.
type request struct {
	Cause    string        `json:"cause"`
	Journals []jsonJournal `json:"journals"`
}

type jsonJournal struct {
	Cause    string         `json:"cause"`
	Debit    string         `json:"debit"`
	Credit   string         `json:"credit"`
	Amount   string         `json:"amount"`
	Currency money.Currency `json:"currency"`
}

// answer is the receipt.
type answer struct {
	Cause    string    `json:"cause"`
	BookedAt time.Time `json:"booked_at"`
}

// step builds the Step from nothing but the request, as an API would.
func (r request) step() (ledger.Step, error) {
	s := ledger.Step{Book: book, Cause: r.Cause, By: principal, Journals: make([]ledger.Journal, len(r.Journals))}
	for i, j := range r.Journals {
		amount, err := money.ParsePositive(j.Amount, j.Currency)
		if err != nil {
			return s, err
		}
		if s.Journals[i], err = post(j.Cause, account(j.Debit), account(j.Credit), amount.Minor); err != nil {
			return s, err
		}
	}
	return s, nil
}

// serve answers POST on a port of its own until stop is called.
func serve(s *store.Store) (address string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	srv := &http.Server{Handler: handler(s), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(l) }() // it ends with stop
	return l.Addr().String(), func() { _ = srv.Close() }, nil
}

func handler(s *store.Store) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /journals", func(w http.ResponseWriter, r *http.Request) {
		receipt, err := commit(r.Context(), s, r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(answer{receipt.Cause, receipt.BookedAt}) // the client may be gone
	})
	return mux
}

func commit(ctx context.Context, s *store.Store, body io.Reader) (ledger.Receipt, error) {
	var r request
	if err := json.NewDecoder(body).Decode(&r); err != nil {
		return ledger.Receipt{}, fault.Invalid("body_invalid", "", "the body isn't what it should be")
	}
	step, err := r.step()
	if err != nil {
		return ledger.Receipt{}, err
	}
	receipt, err := s.Commit(ctx, step)
	if err == nil && receipt.Replayed {
		err = errReplayed
	}
	return receipt, err
}
