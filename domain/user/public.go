package user

import (
	"time"

	"paysaga/domain/money"
	"paysaga/domain/notice"
)

// Public is a user as the API shows them: schema User of openapi.yaml. Events hold one without its profile.
type Public struct {
	ID          string              `json:"id"`
	Object      string              `json:"object"`
	Livemode    bool                `json:"livemode"`
	MerchantID  string              `json:"merchant_id"`
	Reference   string              `json:"reference,omitempty"`
	Status      Status              `json:"status"`
	Name        string              `json:"name,omitempty"`
	Email       string              `json:"email,omitempty"`
	Phone       string              `json:"phone,omitempty"`
	Country     string              `json:"country,omitempty"`
	PushTokens  []string            `json:"push_tokens,omitempty"`
	Language    notice.Language     `json:"language,omitempty"`
	Preferences *notice.Preferences `json:"preferences,omitempty"`
	Referrer    string              `json:"referrer,omitempty"`
	Metadata    map[string]string   `json:"metadata,omitempty"`
	Withdraw    *PublicWithdrawal   `json:"auto_withdraw,omitempty"`
	Freezes     []PublicFreeze      `json:"freezes,omitempty"`
	Sequence    int64               `json:"sequence"`
	CreatedAt   time.Time           `json:"created_at"`
	UpdatedAt   time.Time           `json:"updated_at"`
}

// Told is u as its events show it: ids, and nothing personal (I-26). A reference and metadata may be personal, too: they are the merchant's
// to choose, and no event can be erased.
func (u User) Told() Public {
	p := u.Public()
	p.Name, p.Email, p.Phone, p.Country, p.PushTokens, p.Reference, p.Metadata = "", "", "", "", nil, "", nil
	return p
}

// Public is u as everybody sees it who may see them at all; see PublicTo.
func (u User) Public() Public {
	p := Public{ID: u.ID, Object: "user", Livemode: u.Book.Livemode(), MerchantID: u.MerchantID, Reference: u.Reference, Status: u.Status,
		Name: u.Profile.Name, Email: u.Profile.Email, Phone: u.Profile.Phone, Country: u.Profile.Country, PushTokens: u.Profile.PushTokens,
		Language: u.Language, Referrer: u.ReferrerID, Metadata: u.Metadata, Withdraw: u.Withdraw.Public(), Sequence: u.Sequence, CreatedAt: u.CreatedAt.UTC(), UpdatedAt: u.UpdatedAt.UTC()}
	if q := u.Preferences; len(q.Off)+len(q.On) > 0 || q.Quiet != nil || q.TimeZone != "" {
		p.Preferences = &q
	}
	return p
}

// Wallet is what a user has in a currency, in minor units of it.
type Wallet struct {
	Currency  money.Currency
	AccountID string // acc_… of what is available; empty: nothing was ever in it
	Available int64  // can be spent, sent and taken out
	Held      int64  // set aside for payments under way
	Pending   int64  // promised as rebates, not paid yet
	Debt      int64  // owed of rebates whose goods came back
}

// Empty says whether nothing of the user's own is in it.
func (w Wallet) Empty() bool { return w.Available == 0 && w.Held == 0 }

// PublicWallet is a wallet as the API shows it: schema Wallet of openapi.yaml.
type PublicWallet struct {
	Object        string `json:"object"`
	Livemode      bool   `json:"livemode"`
	UserID        string `json:"user_id"`
	Currency      string `json:"currency"`
	Available     string `json:"available"`
	Held          string `json:"held"`
	RebatePending string `json:"rebate_pending"`
	RebateDebt    string `json:"rebate_debt"`
}

// Public is w as its user sees it.
func (w Wallet) Public(ref Ref) PublicWallet {
	of := func(minor int64) string { return money.New(minor, w.Currency).Decimal() }
	return PublicWallet{Object: "wallet", Livemode: ref.Book.Livemode(), UserID: ref.ID, Currency: string(w.Currency), Available: of(w.Available),
		Held: of(w.Held), RebatePending: of(w.Pending), RebateDebt: of(w.Debt)}
}
