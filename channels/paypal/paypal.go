// Package paypal is the channel of PayPal: Orders v2 and Payments v2 over REST, with calls of its own.
//
// A PayPal order moves no money until it is captured (or authorized), and we alone can do that. So creating an order is
// always harmless, asking may create one to find what a key stands for, and an order is closed by changing its intent:
// PayPal then refuses every capture that is still on its way. docs/paypal.md says how an account is set up.
package paypal

import (
	"crypto/x509"
	"strings"
	"sync"
	"time"

	"paysaga/channels"
	"paysaga/channels/wire"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// Name is the channel's name in paths, queues and accounts.
const Name = "paypal"

// The credentials of a PayPal account.
const (
	ClientID     = "client_id"
	ClientSecret = "client_secret"
	WebhookID    = "webhook_id" // the id of the webhook that points at us: part of what PayPal signs
)

// Where PayPal is, by book, when an account doesn't say.
const (
	LiveURL    = "https://api-m.paypal.com"
	SandboxURL = "https://api-m.sandbox.paypal.com"
)

// keyLife is how long PayPal surely knows a PayPal-Request-Id of an order; those of refunds and captures live longer.
const keyLife = 6 * time.Hour

// maxRefundAge is PayPal's: 180 days after the capture.
const maxRefundAge = 180 * 24 * time.Hour

// Trust says whose word a webhook's certificate is: the hosts that may serve it, the roots and the name that its chain
// leads to, and the client that fetches it. The zero value is PayPal's hosts, the system's roots, and the adapter's client.
type Trust struct {
	Hosts  []string
	Roots  *x509.CertPool
	Name   string // the certificate is issued to this domain or one below it
	Client *wire.Client
}

// Channel is the adapter. It keeps access tokens and webhook certificates in memory, nothing else, and is safe for
// concurrent use.
type Channel struct {
	channels.Unsupported
	client *wire.Client
	trust  Trust
	tokens tokens
	certs  certificates
}

var _ channels.Channel = (*Channel)(nil)

// New returns the adapter over the shared HTTP client.
func New(client *wire.Client) *Channel { return Trusting(client, Trust{}) }

// Trusting returns an adapter that believes other certificates than PayPal's.
func Trusting(client *wire.Client, t Trust) *Channel {
	if len(t.Hosts) == 0 {
		t.Hosts = []string{"api.paypal.com", "api-m.paypal.com", "api.sandbox.paypal.com", "api-m.sandbox.paypal.com"}
	}
	if t.Name == "" {
		t.Name = "paypal.com"
	}
	if t.Client == nil {
		t.Client = client
	}
	return &Channel{client: client, trust: t, tokens: tokens{of: map[string]*token{}, mu: sync.Mutex{}}, certs: certificates{of: map[string]certificate{}}}
}

// Describe says what the adapter offers: payments by redirect and by a vaulted token, manual capture, refunds. Payouts are
// not: PayPal names no way to ask about one whose answer was lost.
func (*Channel) Describe() channels.Description {
	return channels.Description{
		Name: Name,
		Operations: []channels.Operation{channels.OpCharge, channels.OpCapture, channels.OpCancel, channels.OpConfirm, channels.OpAsk,
			channels.OpRefund, channels.OpAskRefund, channels.OpCallback, channels.OpProbe},
		Methods:    []payment.MethodType{payment.MethodRedirect, payment.MethodCardToken},
		Currencies: currencies,
		KeyLife:    keyLife,
		// A question that finds nothing takes the key; what is on its way finds that order, and moves nothing until it is
		// captured. Cancel is what makes it final.
		AbsenceIsFinal: false,
		MaxRefundAge:   maxRefundAge,
		Hints:          true, // see ParseCallback
		Statements:     []string{StatementSettlement},
		Credentials:    credentials,
	}
}

var credentials = []channels.Credential{
	{Name: ClientID, Required: true, Help: "the REST app's client ID: PayPal Developer Dashboard, Apps & Credentials", Check: word("client ID")},
	{Name: ClientSecret, Required: true, Help: "the REST app's secret, beside its client ID", Check: word("secret")},
	{Name: WebhookID, Required: true, Help: "the ID that PayPal shows for the webhook with the account's callback URL", Check: word("webhook ID")},
}

// word checks the shape that all of PayPal's credentials share. What it says quotes nothing.
func word(what string) func(string, id.Book) string {
	return func(value string, _ id.Book) string {
		switch {
		case len(value) < 8 || len(value) > 255:
			return "is too short or too long for a " + what
		case strings.Trim(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "":
			return "has characters that no " + what + " of PayPal's has"
		}
		return ""
	}
}
