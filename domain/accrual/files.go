package accrual

import (
	"time"

	"paysaga/domain/id"
)

// Cursor is how far a settlement has come: users in their order, each one's
// rebates in theirs.
type Cursor struct {
	User     string `json:"user,omitempty"`
	RebateID string `json:"rebate_id,omitempty"`
}

// PageOf selects the next rebates of a campaign that have vested.
type PageOf struct {
	Book       id.Book
	CampaignID string
	Date       time.Time // vested on or before it
	After      Cursor
	Limit      int
}

// Page is some vested rebates, by user, and what their users owe.
type Page struct {
	Rebates []Accrual
	Debts   map[string][]Ref // by user; the oldest first
	// Withdraws: the merchant has its users' wallets paid out by themselves.
	Withdraws bool
}

// Filter selects rebates of one book for a list, newest first.
type Filter struct {
	Book       id.Book
	MerchantID string // empty: every merchant of the book (operators)
	User       string // one of User and OrderID is set
	OrderID    string
	CampaignID string
	Status     Status
	After      string // the id after which the page starts
	Limit      int    // 1–100
}

// RunFilter selects settlements of one book for a list, newest first.
type RunFilter struct {
	Book       id.Book
	MerchantID string
	CampaignID string
	Status     RunStatus
	After      string
	Limit      int
}

// OrderFile is everything that adjusting an order's rebates needs.
type OrderFile struct {
	Book       id.Book
	OrderID    string
	MerchantID string
	Share      Share
	Rebates    []Accrual
	Rated      bool // what it earns was accrued
	PaidAt     time.Time
	Received   time.Time // the merchant's date on which its goods were received; zero: nobody has said so
}

// Due is an order that something may have to be done about.
type Due struct {
	Book    id.Book
	OrderID string
	Lease   time.Time // until when whoever claimed it has it
}
