// Package access says who a caller is and what they may do.
package access

import (
	"slices"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// Scope is one permission of a principal.
type Scope string

// The scopes.
const (
	PaymentsRead  Scope = "payments:read"
	PaymentsWrite Scope = "payments:write"
	OrdersRead    Scope = "orders:read"
	OrdersWrite   Scope = "orders:write"
	RefundsRead   Scope = "refunds:read"
	RefundsWrite  Scope = "refunds:write"
	DisputesRead  Scope = "disputes:read"
	LedgerRead    Scope = "ledger:read"
	EventsRead    Scope = "events:read"
	WebhooksRead  Scope = "webhooks:read"
	WebhooksWrite Scope = "webhooks:write"
	CasesRead     Scope = "cases:read"
	CasesWrite    Scope = "cases:write"
	CasesResolve  Scope = "cases:resolve" // what older keys of operators have; cases:write is asked for
	RoutingRead   Scope = "routing:read"
	RoutingWrite  Scope = "routing:write"
	RiskRead      Scope = "risk:read"
	RiskWrite     Scope = "risk:write"  // a merchant's own rules stand in for the platform's: it has to be granted
	RiskReview    Scope = "risk:review" // operators only

	UsersRead          Scope = "users:read"
	UsersWrite         Scope = "users:write"
	WalletsRead        Scope = "wallets:read"
	TopUpsRead         Scope = "topups:read"
	TopUpsWrite        Scope = "topups:write"
	TransfersRead      Scope = "transfers:read"
	TransfersWrite     Scope = "transfers:write"
	PayoutsRead        Scope = "payouts:read"
	PayoutsWrite       Scope = "payouts:write"
	CampaignsRead      Scope = "campaigns:read"
	CampaignsWrite     Scope = "campaigns:write"
	RebatesRead        Scope = "rebates:read"
	RebatesWrite       Scope = "rebates:write"
	NotificationsRead  Scope = "notifications:read"
	NotificationsWrite Scope = "notifications:write"
)

// MerchantScopes are what a merchant's key gets unless told otherwise.
var MerchantScopes = []Scope{PaymentsRead, PaymentsWrite, OrdersRead, OrdersWrite, RefundsRead, RefundsWrite, DisputesRead, LedgerRead, CasesRead, CasesWrite, EventsRead, WebhooksRead, WebhooksWrite,
	RoutingRead, RoutingWrite, RiskRead, UsersRead, UsersWrite, WalletsRead, TopUpsRead, TopUpsWrite, TransfersRead, TransfersWrite, PayoutsRead,
	PayoutsWrite, CampaignsRead, CampaignsWrite, RebatesRead, RebatesWrite, NotificationsRead, NotificationsWrite}

// OperatorScopes are what an operator's key gets unless told otherwise.
var OperatorScopes = []Scope{PaymentsRead, OrdersRead, RefundsRead, DisputesRead, LedgerRead, CasesRead, CasesWrite, CasesResolve, EventsRead, WebhooksRead,
	RoutingRead, RoutingWrite, RiskRead, RiskWrite, RiskReview, UsersRead, UsersWrite, WalletsRead, TopUpsRead, TransfersRead, PayoutsRead, PayoutsWrite, CampaignsRead,
	CampaignsWrite, RebatesRead, RebatesWrite, NotificationsRead, NotificationsWrite}

// UserScopes are what a user who has logged in gets: their own things, and nobody else's.
var UserScopes = []Scope{UsersRead, UsersWrite, WalletsRead, TopUpsRead, TopUpsWrite, TransfersRead, TransfersWrite, PayoutsRead, PayoutsWrite, RebatesRead,
	NotificationsRead, NotificationsWrite, OrdersWrite}

// Principal is an authenticated caller. The key fixes the book (I-25).
type Principal struct {
	Kind       ledger.PrincipalKind
	ID         string // key_… of a merchant's key, opr_… of an operator, usr_… of a user
	Book       id.Book
	MerchantID string // the merchant the caller acts for; empty for operators: all of the book
	UserID     string // the user that acts for themselves; empty: a merchant or an operator does
	SessionID  string // the session of a user
	Children   []string
	Scopes     []Scope
}

// May says whether the principal has scope s.
func (p Principal) May(s Scope) bool { return slices.Contains(p.Scopes, s) }
