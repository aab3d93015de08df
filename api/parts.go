package api

import (
	"context"
	"time"

	"paysaga/channels"
	"paysaga/domain/access"
	"paysaga/domain/accrual"
	"paysaga/domain/dispute"
	"paysaga/domain/exception"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/payout"
	"paysaga/domain/rebate"
	"paysaga/domain/refund"
	"paysaga/domain/risk"
	"paysaga/domain/rule"
	"paysaga/domain/trade"
	"paysaga/domain/transfer"
	"paysaga/domain/user"
)

// Keys knows the API keys.
type Keys interface {
	// Authenticate finds the principal of a key; one that is unknown or revoked is fault.Denied.
	Authenticate(ctx context.Context, token string) (access.Principal, error)
}

// Sessions knows users who have logged in.
type Sessions interface {
	// TokenKey is what signs the tokens of a book in a period; it is made when there is none yet.
	TokenKey(ctx context.Context, book id.Book, period int) (access.TokenKey, error)
	// Session reads one that is open, of a user who is neither closed nor erased; any other is fault.NotFound.
	Session(ctx context.Context, book id.Book, sessionID string) (access.Session, error)
}

// Users keeps merchants' users. Another merchant's is fault.NotFound (I-25).
type Users interface {
	CreateUser(ctx context.Context, u user.User, by ledger.Principal) (made user.User, created bool, err error)
	User(ctx context.Context, ref user.Ref) (user.User, error)
	Users(ctx context.Context, filter user.Filter) (page []user.User, more bool, err error)
	ChangeUser(ctx context.Context, ref user.Ref, by ledger.Principal, change user.Change) (user.User, error)
	DoUser(ctx context.Context, ref user.Ref, by ledger.Principal, d user.Doing) (user.User, error)
	Wallets(ctx context.Context, ref user.Ref) ([]user.Wallet, error)
}

// Destinations keeps where users can be paid out to.
type Destinations interface {
	AddDestination(ctx context.Context, ref user.Ref, to payout.Destination, by ledger.Principal) (user.Destination, error)
	Destinations(ctx context.Context, ref user.Ref) ([]user.Destination, error)
	Destination(ctx context.Context, ref user.Ref, destinationID string) (payout.Destination, error)
	RemoveDestination(ctx context.Context, ref user.Ref, destinationID string, by ledger.Principal) error
}

// Logins lets users in. Passwords come hashed, and are judged by the caller.
type Logins interface {
	Register(ctx context.Context, u user.User, login access.Login, password string) (user.User, error)
	SetCredentials(ctx context.Context, ref user.Ref, login access.Login, password string) error
	ChangePassword(ctx context.Context, session access.Session, fresh string, right func(hash string) bool) error
	// LogIn opens a session if right says so of the login's hash, which is empty if there is no such login.
	LogIn(ctx context.Context, book id.Book, merchantID string, login access.Login, right func(hash string) bool) (access.Grant, error)
	OpenSession(ctx context.Context, session access.Session) (access.Grant, error)
	Refresh(ctx context.Context, token string) (access.Grant, error)
	LogOut(ctx context.Context, token string) error
}

// Accounts knows the accounts at channels.
type Accounts interface {
	// OpenAccounts lists the accounts that are open to a merchant in a book.
	OpenAccounts(ctx context.Context, book id.Book, merchantID string) ([]channels.OpenAccount, error)
	// Account opens an account's credentials, to verify a callback; an unknown one is fault.NotFound.
	Account(ctx context.Context, channel, accountID string) (channels.Account, error)
}

// Book is where things are received.
type Book interface {
	// Commit does all of a Step or nothing of it; see ledger.Receipt for what a repeat does.
	Commit(ctx context.Context, step ledger.Step) (ledger.Receipt, error)
	// Replayed says which object an idempotency key stands for. Another body under the key is fault.Invalid
	// "idempotency_key_reused".
	Replayed(ctx context.Context, book id.Book, key access.Idempotency) (objectID string, found bool, err error)
	// Mint makes an id. It never fails and asks nobody.
	Mint(prefix id.Prefix) string
}

// Reader reads what was received. An empty merchant is every merchant of the book. What isn't there, or is another
// merchant's, is fault.NotFound (I-25).
type Reader interface {
	Payment(ctx context.Context, book id.Book, merchantID, paymentID string) (payment.Payment, error)
	Payments(ctx context.Context, filter payment.Filter) (page []payment.Payment, more bool, err error)
	Captures(ctx context.Context, book id.Book, merchantID, paymentID string) ([]payment.Capture, error)
	Order(ctx context.Context, book id.Book, merchantID, orderID string) (trade.Order, []payment.Payment, error)
	Timeline(ctx context.Context, book id.Book, merchantID, paymentID string) ([]payment.Occurrence, error)
}

// Refunds reads refunds and disputes, as Reader reads payments.
type Refunds interface {
	Refund(ctx context.Context, book id.Book, merchantID, refundID string) (refund.Refund, error)
	Refunds(ctx context.Context, filter refund.Filter) (page []refund.Refund, more bool, err error)
	Dispute(ctx context.Context, book id.Book, merchantID, disputeID string) (dispute.Dispute, error)
	Disputes(ctx context.Context, filter dispute.Filter) (page []dispute.Dispute, more bool, err error)
}

// Payouts reads payouts. An empty merchant is every one of the book, an empty user everybody's; another's is fault.NotFound (I-25).
type Payouts interface {
	Payout(ctx context.Context, book id.Book, merchantID, userID, payoutID string) (payout.Payout, error)
	Payouts(ctx context.Context, filter payout.Filter) (page []payout.Payout, more bool, err error)
}

// Ledger reads the books. An empty owner is every account of the book; another owner's is fault.NotFound (I-25). What can still
// change isn't told: an instant that isn't final is fault.Invalid "at_not_final".
type Ledger interface {
	LedgerAccounts(ctx context.Context, filter ledger.AccountFilter) (page []ledger.Opened, more bool, err error)
	LedgerAccount(ctx context.Context, book id.Book, owner, accountID string) (ledger.Opened, error)
	Balance(ctx context.Context, book id.Book, owner, accountID string, at time.Time, by ledger.Dating) (ledger.Balance, error)
	Statement(ctx context.Context, filter ledger.StatementFilter) (ledger.Statement, error)
	Journal(ctx context.Context, book id.Book, owner, cause string) (ledger.Posted, error)
	TrialBalance(ctx context.Context, book id.Book, at time.Time, currency money.Currency) (ledger.TrialBalance, error)
}

// Cases reads exceptions. An empty merchant is every case of the book; another merchant's is fault.NotFound (I-25).
type Cases interface {
	Case(ctx context.Context, book id.Book, merchantID, caseID string) (exception.Case, error)
	Cases(ctx context.Context, filter exception.Filter) (page []exception.Case, more bool, err error)
}

// Judge decides exceptions.
type Judge interface {
	// DecideCase carries a decision out, at once. It is fault.Conflict where it doesn't fit the case, fault.Denied where it isn't the
	// caller's to make.
	DecideCase(ctx context.Context, in exception.Resolution) (exception.Case, error)
}

// Rules keeps versions of routing and risk rules. An empty merchant is the platform; what is another owner's is fault.NotFound
// (I-25).
type Rules interface {
	SaveRules(ctx context.Context, set rule.Set) (rule.Set, error)
	RuleSet(ctx context.Context, book id.Book, merchantID string, kind rule.Kind, version int) (rule.Set, error)
	RuleSets(ctx context.Context, of rule.Set, before, limit int) (page []rule.Set, more bool, err error)
	ActivateRules(ctx context.Context, a rule.Activation) (rule.Set, error)
	// InForce is what payments of a merchant go by: its own rules, else the platform's, else none.
	InForce(ctx context.Context, book id.Book, merchantID string, kind rule.Kind) (rule.InForce, error)
	// Opening reads a payment with the facts that rules ask for.
	Opening(ctx context.Context, book id.Book, paymentID string) (payment.Dossier, risk.Briefing, error)
}

// Lists keeps what is blocked and allowed, and knows what was counted.
type Lists interface {
	ListEntry(ctx context.Context, line risk.Line) (risk.Line, error)
	ListEntries(ctx context.Context, q risk.Query) (page []risk.Line, more bool, err error)
	UnlistEntry(ctx context.Context, book id.Book, merchantID, entryID string, by ledger.Principal) error
	// Digest is the form in which a value of a kind is listed.
	Digest(ctx context.Context, book id.Book, kind risk.Kind, value string) (string, error)
	RiskData(ctx context.Context, book id.Book, merchantID string, values []risk.Listed, counters []risk.Counter) ([]risk.Entry, map[string]risk.Value, error)
}

// Campaigns reads campaigns. An empty merchant is every merchant of the book; another's is fault.NotFound (I-25). Whose campaign
// versions and fundings are of, is the caller's to know.
type Campaigns interface {
	Campaign(ctx context.Context, book id.Book, merchantID, campaignID string) (rebate.Campaign, error)
	Campaigns(ctx context.Context, filter rebate.Filter) (page []rebate.Campaign, more bool, err error)
	CampaignVersion(ctx context.Context, book id.Book, campaignID string, version int) (rebate.Version, error)
	CampaignVersions(ctx context.Context, book id.Book, campaignID string, before, limit int) (page []rebate.Version, more bool, err error)
	CampaignSpend(ctx context.Context, book id.Book, campaignID string) (rebate.Spend, error)
	Fundings(ctx context.Context, book id.Book, campaignID, one, before string, limit int) (page []rebate.Funding, more bool, err error)
}

// Shoppers knows what rules ask of orders and their buyers, and what was counted. What isn't there, or is another merchant's, is
// fault.NotFound (I-25).
type Shoppers interface {
	RebateOrder(ctx context.Context, book id.Book, merchantID, orderID string, paidAt time.Time) (rebate.Order, error)
	RebateBuyer(ctx context.Context, book id.Book, merchantID string, of rebate.Bought) (rebate.Buyer, error)
	RebateCounters(ctx context.Context, book id.Book, keys []string) (map[string]int64, error)
	MerchantZone(ctx context.Context, book id.Book, merchantID string) (*time.Location, error)
	// RebateRules are the versions that an order of a merchant, paid at an instant, goes by.
	RebateRules(ctx context.Context, book id.Book, merchantID string, currency money.Currency, paidAt time.Time) ([]*rebate.Rules, error)
}

// Sealer closes away what travels through a saga's history.
type Sealer interface {
	Seal(plain []byte) ([]byte, error)
}

// Inbox keeps callbacks.
type Inbox interface {
	// ReceiveCallback stores a verified callback; one that is there already isn't fresh, and its id is the first one's.
	ReceiveCallback(ctx context.Context, callback channels.Received) (callbackID string, fresh bool, err error)
}

// Pinger says whether a part can be reached.
type Pinger interface {
	Health(ctx context.Context) error
}

// Starter joins a payment's saga, starting it if need be.
type Starter interface {
	// Accept returns nil once the payment has reached a stable state. A context's error, fault.Unknown or
	// fault.Unavailable mean that it hasn't yet, or that nobody knows.
	Accept(ctx context.Context, p payment.Payment) error
	// Cancel asks the saga to cancel, with the errors of Accept.
	Cancel(ctx context.Context, p payment.Payment) error
	// Capture tells the saga of a received capture and returns nil once that is settled, with the errors of Accept.
	Capture(ctx context.Context, p payment.Payment, captureID string) error
	// CaseMoved tells a case's saga that somebody moved it. It would find out by itself, later.
	CaseMoved(ctx context.Context, c exception.Case) error
	// SettlementMoved tells a settlement's saga that somebody began or steered it. It would find out by itself, later.
	SettlementMoved(ctx context.Context, r accrual.Run) error
	// AcceptRefund returns nil once the refund has ended, with the errors of Accept.
	AcceptRefund(ctx context.Context, r refund.Refund) error
	// AcceptTransfer returns nil once the transfer has ended, with the errors of Accept.
	AcceptTransfer(ctx context.Context, t transfer.Transfer) error
	// AcceptPayout returns nil once the payout has ended, with the errors of Accept.
	AcceptPayout(ctx context.Context, p payout.Payout) error
	// Review carries an operator's word on a payment that risk holds to its saga; code proves who they are. Conflict "review_over"
	// is a payment that nobody has to judge.
	Review(ctx context.Context, p payment.Payment, v access.Vouch, code string) error
	Pinger
}
