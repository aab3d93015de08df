// Package sandbox is the adapter of the sandbox channel, which behaves like a payment channel and belongs to nobody's
// money. docs/sandbox.md describes its protocol; the server stands in the folder beside.
package sandbox

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"paysaga/channels"
	"paysaga/channels/wire"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// Name is the channel's name in paths, queues and accounts.
const Name = "sandbox"

// DefaultURL is where the sandbox is, when an account doesn't say.
const DefaultURL = "http://127.0.0.1:8090"

// The names of an account's credentials.
const (
	Secret         = "secret"          // authenticates our calls
	SecretCallback = "callback_secret" // verifies the sandbox's; see CallbackSecret
)

// Channel is the adapter. It keeps nothing between calls.
type Channel struct {
	channels.Unsupported
	wire    *wire.Client
	refunds Spacing
}

// Spacing is how the sandbox at the other end spaces the refunds of one charge, see docs/sandbox.md; zero is not at all.
type Spacing struct {
	MinInterval time.Duration
	Max         int
	MaxAge      time.Duration
}

// Spaced returns an adapter that says so of its channel.
func (ch Channel) Spaced(s Spacing) *Channel {
	ch.refunds = s
	return &ch
}

var _ channels.Channel = (*Channel)(nil)

// New returns the adapter over the shared HTTP client.
func New(c *wire.Client) *Channel { return &Channel{wire: c} }

// CallbackSecret is the callback secret of the account that a secret opens at the sandbox, which derives it because it
// has no sign-up: HMAC-SHA256(secret, "callback_secret") in hex.
func CallbackSecret(secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(SecretCallback))
	return hex.EncodeToString(mac.Sum(nil))
}

// Describe says what the sandbox can do: everything.
func (ch *Channel) Describe() channels.Description {
	return channels.Description{
		Name: Name,
		Operations: []channels.Operation{channels.OpCharge, channels.OpCapture, channels.OpCancel, channels.OpAsk,
			channels.OpRefund, channels.OpAskRefund, channels.OpPayout, channels.OpAskPayout, channels.OpCallback,
			channels.OpStatement, channels.OpProbe},
		Methods: []payment.MethodType{payment.MethodQR, payment.MethodRedirect, payment.MethodCardToken},
		KeyLife: 24 * time.Hour,
		// A request that is still on its way can create the charge after a question found nothing. Cancel closes
		// the reference for good, also an unknown one.
		AbsenceIsFinal:    false,
		MinRefundInterval: ch.refunds.MinInterval, MaxRefunds: ch.refunds.Max, MaxRefundAge: ch.refunds.MaxAge,
		MultiCapture: true,
		Credentials: []channels.Credential{
			{Name: Secret, Required: true, Help: "the account's secret; the sandbox opens an account for each it hears of"},
			{Name: SecretCallback, Help: "verifies the sandbox's callbacks; derived from the secret where it isn't given"},
		},
		Statements: []string{Moves},
	}
}

type method struct {
	Type  payment.MethodType `json:"type"`
	Token string             `json:"token,omitempty"`
}

// body is the union of the protocol's requests.
type body struct {
	Reference       string     `json:"reference,omitempty"`
	Key             string     `json:"key"`
	BodyHash        string     `json:"body_hash,omitempty"`
	AmountMinor     int64      `json:"amount_minor,omitempty"`
	Currency        string     `json:"currency,omitempty"`
	Method          *method    `json:"method,omitempty"`
	Capture         bool       `json:"capture,omitempty"`
	Description     string     `json:"description,omitempty"`
	CallbackURL     string     `json:"callback_url,omitempty"`
	ReturnURL       string     `json:"return_url,omitempty"`
	ExpiresAt       *time.Time `json:"expires_at,omitempty"`
	Final           bool       `json:"final,omitempty"`
	ChargeReference string     `json:"charge_reference,omitempty"`
	ChannelID       string     `json:"channel_id,omitempty"`
	Reason          string     `json:"reason,omitempty"`
	Destination     string     `json:"destination,omitempty"`
	Note            string     `json:"note,omitempty"`
}

func head(c channels.Call, amount int64, currency string) body {
	return body{Reference: c.Key.Reference, Key: c.Key.ID, BodyHash: c.Key.BodyHash, AmountMinor: amount, Currency: currency}
}

// Charge makes a charge. A card is answered at once; QR and redirect are Pending with what the customer has to do.
func (ch *Channel) Charge(ctx context.Context, c channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
	b := head(c, r.AmountMinor, r.Currency)
	b.Method = &method{Type: r.Method.Type, Token: r.Method.Token}
	b.Capture, b.Description, b.ExpiresAt = r.Capture, r.Description, r.ExpiresAt
	b.CallbackURL, b.ReturnURL = r.CallbackURL, r.ReturnURL
	return ch.outcome(ctx, c, http.MethodPost, "/v1/charges", &b, c.Key.Reference)
}

// Capture takes money from an authorization.
func (ch *Channel) Capture(ctx context.Context, c channels.Call, r channels.CaptureRequest) (payment.Outcome, error) {
	ref, err := id.Reference(r.ChargeKey)
	if err != nil {
		return payment.Outcome{}, err
	}
	b := head(c, r.AmountMinor, r.Currency)
	b.Final = r.Final
	return ch.outcome(ctx, c, http.MethodPost, "/v1/charges/"+ref+"/capture", &b, c.Key.Reference)
}

// Cancel closes the charge, or its reference if there is no charge yet.
func (ch *Channel) Cancel(ctx context.Context, c channels.Call, _ channels.ChargeRequest) (payment.Outcome, error) {
	b := body{Key: c.Key.ID}
	return ch.outcome(ctx, c, http.MethodPost, "/v1/charges/"+url.PathEscape(c.Key.Reference)+"/cancel", &b, c.Key.Reference)
}

// Ask reads the charge.
func (ch *Channel) Ask(ctx context.Context, c channels.Call, _ channels.ChargeRequest) (payment.Outcome, error) {
	return ch.outcome(ctx, c, http.MethodGet, "/v1/charges/"+url.PathEscape(c.Key.Reference), nil, c.Key.Reference)
}

// Refund gives captured money back.
func (ch *Channel) Refund(ctx context.Context, c channels.Call, r channels.RefundRequest) (payment.Outcome, error) {
	ref, err := id.Reference(r.ChargeKey)
	if err != nil {
		return payment.Outcome{}, err
	}
	b := head(c, r.AmountMinor, r.Currency)
	b.ChargeReference, b.ChannelID, b.Reason = ref, r.ChannelID, r.Reason
	return ch.outcome(ctx, c, http.MethodPost, "/v1/refunds", &b, c.Key.Reference)
}

// AskRefund reads the refund.
func (ch *Channel) AskRefund(ctx context.Context, c channels.Call, _ channels.RefundRequest) (payment.Outcome, error) {
	return ch.outcome(ctx, c, http.MethodGet, "/v1/refunds/"+url.PathEscape(c.Key.Reference), nil, c.Key.Reference)
}

// Payout sends money out.
func (ch *Channel) Payout(ctx context.Context, c channels.Call, r channels.PayoutRequest) (payment.Outcome, error) {
	b := head(c, r.AmountMinor, r.Currency)
	_, account, typed := strings.Cut(r.Destination, ":")
	if !typed {
		account = r.Destination
	}
	b.Destination, b.Note, b.CallbackURL = account, r.Note, r.CallbackURL
	return ch.outcome(ctx, c, http.MethodPost, "/v1/payouts", &b, c.Key.Reference)
}

// AskPayout reads the payout.
func (ch *Channel) AskPayout(ctx context.Context, c channels.Call, _ channels.PayoutRequest) (payment.Outcome, error) {
	return ch.outcome(ctx, c, http.MethodGet, "/v1/payouts/"+url.PathEscape(c.Key.Reference), nil, c.Key.Reference)
}

// request makes the HTTP request of a call.
func request(ctx context.Context, a channels.Account, method, path string, b *body) (*http.Request, error) {
	secret := a.Credentials[Secret]
	if secret == "" {
		return nil, fault.Internal("the channel account has no secret", nil)
	}
	base := strings.TrimSuffix(a.BaseURL, "/")
	if base == "" {
		base = DefaultURL
	}
	var raw []byte
	if b != nil {
		var err error
		if raw, err = json.Marshal(b); err != nil {
			return nil, fault.Internal("the request can't be written", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(raw))
	if err != nil {
		return nil, fault.Internal("the channel account's address can't be used", err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	if b != nil {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", b.Key)
	}
	return req, nil
}

// outcome makes a call and reads its answer, which has to speak of the reference that we asked about.
func (ch *Channel) outcome(ctx context.Context, c channels.Call, method, path string, b *body, ref string) (payment.Outcome, error) {
	req, err := request(ctx, c.Account, method, path, b)
	if err != nil {
		return payment.Outcome{}, err
	}
	res, err := ch.wire.Do(ctx, req)
	if err != nil {
		return payment.Outcome{}, err
	}
	if res.Status != http.StatusOK && res.Status != http.StatusCreated {
		return refused(res, method == http.MethodGet)
	}
	var a answer
	if err := res.Decode(&a); err != nil {
		return payment.Outcome{}, err
	}
	if a.Reference != ref || a.Key != c.Key.ID {
		return payment.Outcome{}, fault.Unknown("channel_answer_mismatch", "the channel's answer speaks of something else", nil)
	}
	return a.outcome()
}
