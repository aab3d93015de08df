package risk

import (
	"time"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// Line is an entry as it stands on an owner's list.
type Line struct {
	Entry
	Book       id.Book
	ID         string    // lst_…
	MerchantID string    // empty: the platform's, it holds for every merchant
	Until      time.Time // zero: for good
	By         ledger.Principal
	CreatedAt  time.Time
}

// Query selects entries of an owner's lists, newest first.
type Query struct {
	Book       id.Book
	MerchantID string
	Kind       Kind   // empty: all
	After      string // the id after which the page starts
	Limit      int
}
