package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"paysaga/channels/sandbox"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/store"
)

// merchantCommand groups what is done about merchants.
type merchantCommand struct {
	Create merchantCreate `cmd:"" help:"Create a merchant in a book, with an API key that is shown once. In the test book it also gets an account at the sandbox."`
	Key    merchantKey    `cmd:"" help:"Make another API key for a merchant, or revoke one."`
	Policy merchantPolicy `cmd:"" help:"Show, or set, what becomes of a merchant's exceptions without a person."`
}

type merchantCreate struct {
	databaseConfig `embed:""`
	Name           string           `arg:"" help:"The merchant's name, as people should read it."`
	Book           string           `enum:"test,live,shadow" default:"test" help:"The book: test, live or shadow."`
	ID             string           `name:"id" placeholder:"mer_…" help:"The id the merchant has in another book. By default a new one."`
	Parent         string           `placeholder:"mer_…" help:"The platform's merchant whose keys may act for this one."`
	FeeBps         int64            `name:"fee-bps" default:"0" help:"Our fee, in basis points of the amount: 60 is 0.6 %."`
	FeeFixed       map[string]int64 `name:"fee-fixed" placeholder:"CNY=30;…" help:"A fixed part of the fee per currency, in minor units."`
	FeeOnRefund    string           `name:"fee-on-refund" enum:"return,keep" default:"return" help:"What becomes of the fee when a payment is refunded: return or keep."`
	SettlementDays int              `name:"settlement-days" default:"0" help:"How many days captured money matures until it is available; 0: at once."`
	DebtLimit      int64            `name:"debt-limit" default:"0" help:"How much the merchant may owe us after refunds, in minor units."`
	TimeZone       string           `name:"time-zone" default:"UTC" help:"The zone of its business days, Asia/Shanghai for example."`
	DayCut         time.Duration    `name:"day-cut" default:"0s" help:"How long after midnight a business day ends, 4h for example."`
	SandboxURL     string           `name:"sandbox-base-url" setting:"PAYSAGA_SANDBOX_BASE_URL" default:"http://127.0.0.1:8090" help:"Where we reach the sandbox, for a merchant of the test book. Empty text: no account there."`
	JSON           bool             `name:"json" help:"Print one JSON object."`
}

// created is what `merchant create` prints.
type created struct {
	MerchantID     string `json:"merchant_id"`
	Name           string `json:"name"`
	Book           string `json:"book"`
	APIKey         string `json:"api_key"`
	APIKeyID       string `json:"api_key_id"`
	ChannelAccount string `json:"channel_account,omitempty"`
}

// Run creates it.
func (c *merchantCreate) Run(a *app) error {
	m, err := c.merchant()
	if err != nil {
		return err
	}
	s, err := openStore(a.ctx, c.databaseConfig)
	if err != nil {
		return err
	}
	defer s.Close()
	made, err := createMerchant(a.ctx, s, m, c.SandboxURL)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.out).Encode(made)
	}
	fmt.Fprintf(a.out, "merchant  %s  %s (%s book)\n", made.MerchantID, made.Name, made.Book)
	if made.ChannelAccount != "" {
		fmt.Fprintf(a.out, "channel   %s  sandbox\n", made.ChannelAccount)
	}
	_, err = fmt.Fprintf(a.out, "API key   %s\nThe key is shown this once: only its hash is stored.\n", made.APIKey)
	return err
}

func (c *merchantCreate) merchant() (store.Merchant, error) {
	zone, err := time.LoadLocation(c.TimeZone)
	if err != nil || c.TimeZone == "Local" {
		return store.Merchant{}, wrong("--time-zone", "is not an IANA time zone like Asia/Shanghai")
	}
	switch {
	case c.FeeBps < 0 || c.FeeBps > 10_000:
		return store.Merchant{}, wrong("--fee-bps", "must be 0 to 10000")
	case c.SettlementDays < 0 || c.SettlementDays > 365:
		return store.Merchant{}, wrong("--settlement-days", "must be 0 to 365")
	case c.DebtLimit < 0:
		return store.Merchant{}, wrong("--debt-limit", "must not be negative")
	case c.DayCut < 0 || c.DayCut >= 24*time.Hour:
		return store.Merchant{}, wrong("--day-cut", "must be below 24h")
	}
	fixed := map[money.Currency]int64{}
	for code, minor := range c.FeeFixed {
		currency, err := money.ParseCurrency(code)
		if err != nil || minor < 0 {
			return store.Merchant{}, wrong("--fee-fixed", "must be like CNY=30")
		}
		fixed[currency] = minor
	}
	return store.Merchant{Book: id.Book(c.Book), ID: c.ID, ParentID: c.Parent, Name: c.Name, Terms: payment.Terms{
		FeeBasisPoints: c.FeeBps, FeeFixed: fixed, FeeOnRefund: c.FeeOnRefund, SettlementDays: c.SettlementDays,
		DebtLimit: c.DebtLimit, Zone: zone, DayCut: c.DayCut}}, nil
}

// createMerchant makes a merchant, a key, and in the test book an account of
// its own at the sandbox.
func createMerchant(ctx context.Context, s *store.Store, m store.Merchant, sandboxURL string) (made created, err error) {
	made = created{Name: m.Name, Book: string(m.Book)}
	if made.MerchantID, err = s.CreateMerchant(ctx, m); err != nil {
		return made, err
	}
	if m.Book == id.Test && sandboxURL != "" {
		secret := "sandbox_" + rand.Text()
		made.ChannelAccount, err = s.AddChannelAccount(ctx, store.ChannelAccount{Book: m.Book, Channel: sandbox.Name, MerchantID: made.MerchantID,
			BaseURL: sandboxURL, Credentials: sandboxCredentials(secret), Lane: payment.Express})
		if err != nil {
			return made, err
		}
	}
	made.APIKeyID, made.APIKey, err = s.CreateKey(ctx, store.KeyGrant{Book: m.Book, MerchantID: made.MerchantID})
	return made, err
}

func sandboxCredentials(secret string) map[string]string {
	return map[string]string{sandbox.Secret: secret, sandbox.SecretCallback: sandbox.CallbackSecret(secret)}
}

type merchantKey struct {
	databaseConfig `embed:""`
	Merchant       string `arg:"" placeholder:"mer_…" help:"The merchant."`
	Book           string `enum:"test,live,shadow" default:"test" help:"The book: test, live or shadow."`
	Revoke         string `placeholder:"key_…" help:"Revoke this key instead. It stops working within seconds."`
}

// Run makes or revokes a key.
func (c *merchantKey) Run(a *app) error {
	s, err := openStore(a.ctx, c.databaseConfig)
	if err != nil {
		return err
	}
	defer s.Close()
	book := id.Book(c.Book)
	if _, err := s.Merchant(a.ctx, book, c.Merchant); err != nil {
		return err
	}
	if c.Revoke != "" {
		if !id.Is(id.APIKey, c.Revoke) {
			return fault.Invalid("id_invalid", "--revoke", "a key's id starts with key_")
		}
		if err := s.RevokeKey(a.ctx, book, c.Revoke); err != nil {
			return err
		}
		_, err = fmt.Fprintln(a.out, c.Revoke, "is revoked")
		return err
	}
	keyID, token, err := s.CreateKey(a.ctx, store.KeyGrant{Book: book, MerchantID: c.Merchant})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "API key   %s (%s)\nThe key is shown this once: only its hash is stored.\n", token, keyID)
	return err
}
