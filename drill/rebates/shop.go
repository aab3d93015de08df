package rebates

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"paysaga/activities"
	"paysaga/channels"
	"paysaga/domain/access"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/rebate"
	"paysaga/domain/refund"
	"paysaga/domain/trade"
	"paysaga/store"
)

const (
	book     = id.Test
	currency = money.Currency("CNY")
)

// House is the store and the steps of the sagas, on a database of a campaign's own. Temporal isn't part of it: what it would repeat and
// resume is the steps, and they are what is tried here.
type House struct {
	Store *store.Store
	Owner *pgxpool.Pool // for looking, and for what the wallets' owners do
	Steps *activities.Steps
}

// NewHouse makes the steps over a store.
func NewHouse(s *store.Store, owner *pgxpool.Pool) *House {
	return &House{Store: s, Owner: owner, Steps: activities.New(activities.Config{Committer: s, Rebates: s, Reratings: s, Settlements: s, Transfers: s})}
}

// Shop is a merchant with one campaign. Sequences run in it one after the other, so that each sees what it does to the budget.
type Shop struct {
	*House
	merchant, account, campaign string
	rules                       rebate.Definition
	n                           atomic.Int64
}

// rulebooks are what campaigns of the drill promise: each strategy, caps, and every way to round.
func rulebooks() []rebate.Definition {
	percent := func(bps int64) rebate.Strategy { return rebate.Strategy{Type: rebate.Percentage, RateBps: bps} }
	return []rebate.Definition{
		{Rules: []rebate.Rule{{Name: "three", Strategy: percent(333)}}},
		{Rules: []rebate.Rule{{Name: "fixed", Strategy: rebate.Strategy{Type: rebate.Fixed, AmountMinor: 101, Per: rebate.PerOrder}}}},
		{Stacking: rebate.StackAll, Rules: []rebate.Rule{{Name: "friends", Strategy: rebate.Strategy{Type: rebate.Referral, Levels: []int64{250, 100, 33}}},
			{Name: "more", Strategy: percent(50), Caps: rebate.Caps{LineMinor: 20}}}},
		{Caps: rebate.Caps{UserPeriodMinor: 600}, Rules: []rebate.Rule{{Name: "tiers", Strategy: rebate.Strategy{Type: rebate.Tiered,
			Tiers: []rebate.Tier{{FromMinor: 1, RateBps: 100}, {FromMinor: 100_00, RateBps: 700}}}}}},
		{Stacking: rebate.StackPriority, Rules: []rebate.Rule{{Name: "new", Priority: 2, Strategy: rebate.Strategy{Type: rebate.NewUser, AmountMinor: 500}},
			{Name: "else", Priority: 1, Strategy: percent(9999)}}},
	}
}

// NewShop makes a merchant with a campaign; n chooses its rules.
func NewShop(ctx context.Context, h *House, n int) (*Shop, error) {
	s := &Shop{House: h}
	var err error
	if s.merchant, err = h.Store.CreateMerchant(ctx, store.Merchant{Book: book, Name: "Drill"}); err != nil {
		return nil, err
	}
	if s.account, err = h.Store.AddChannelAccount(ctx, store.ChannelAccount{Book: book, Channel: "sandbox", Lane: payment.Standard, MerchantID: s.merchant,
		Credentials: map[string]string{"secret": "sandbox"}}); err != nil {
		return nil, err
	}
	all := rulebooks()
	s.rules = all[n%len(all)]
	if err := s.credit(ctx, 1_000_000_00); err != nil {
		return nil, err
	}
	return s, s.launch(ctx)
}

// launch makes the campaign and activates its rules.
func (s *Shop) launch(ctx context.Context) error {
	s.campaign = s.Store.Mint(id.Campaign)
	now := time.Now()
	c := rebate.Campaign{ID: s.campaign, MerchantID: s.merchant, Name: "Drill", Currency: currency,
		Terms: rebate.Terms{StartsAt: now.Add(-time.Hour), EndsAt: now.AddDate(1, 0, 0)}}
	one := 1
	for _, step := range []ledger.Step{
		s.step(s.campaign, id.Receive, 1, rebate.Create{Campaign: c, Idempotency: s.idempotency("campaign", s.campaign)}),
		s.step(s.Store.Mint(id.Request), id.Act, 1, rebate.SaveVersion{MerchantID: s.merchant, Version: rebate.Version{CampaignID: s.campaign, Number: 1,
			Note: "the drill's", Definition: s.rules}}),
		s.step(s.Store.Mint(id.Request), id.Act, 1, rebate.Revise{CampaignID: s.campaign, MerchantID: s.merchant, Revision: rebate.Revision{Version: &one}}),
	} {
		if err := s.commit(ctx, step); err != nil {
			return fmt.Errorf("the campaign: %w", err)
		}
	}
	return nil
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func (s *Shop) idempotency(operation, key string) access.Idempotency {
	return access.Idempotency{MerchantID: s.merchant, Operation: operation, Key: key, RequestHash: hashOf(key)}
}

func (s *Shop) step(business string, code id.Code, n int, changes ...ledger.Change) ledger.Step {
	return ledger.Step{Book: book, Cause: id.Key(business, id.Step{Code: code, Ordinal: n}), Business: business, By: ledger.Service("drill"), Changes: changes}
}

func (s *Shop) commit(ctx context.Context, step ledger.Step) error {
	_, err := s.Store.Commit(ctx, step)
	return err
}

func cny(minor int64) money.Amount { return money.New(minor, currency) }

// credit puts money into the merchant's available balance, for budgets.
func (s *Shop) credit(ctx context.Context, minor int64) error {
	chart := ledger.Chart{Book: book, Currency: currency}
	cause := s.Store.Mint(id.Request)
	j, err := ledger.Post(ledger.Posting{Cause: id.Key(cause, id.Step{Code: id.Explain, Ordinal: 1}), Kind: "explained", Late: ledger.ToNextOpen},
		ledger.Dr(chart.Fees(), cny(minor)), ledger.Cr(chart.Available(s.merchant), cny(minor)))
	if err != nil {
		return err
	}
	step := s.step(cause, id.Explain, 1)
	step.Journals = []ledger.Journal{j}
	return s.commit(ctx, step)
}

func (s *Shop) fund(ctx context.Context, minor int64) error {
	if minor == 0 {
		return nil
	}
	trf := s.Store.Mint(id.Transfer)
	return s.commit(ctx, s.step(trf, id.Move, 1, rebate.Fund{ID: trf, CampaignID: s.campaign, MerchantID: s.merchant, Amount: cny(minor),
		Idempotency: s.idempotency("fund", trf)}))
}

// buy has an order paid over the sandbox's channel, by the steps of its saga, and returns payment and order.
func (s *Shop) buy(ctx context.Context, buyer string, lines []int64) (paymentID, orderID string, err error) {
	n := s.n.Add(1)
	o := &trade.Order{Reference: fmt.Sprintf("D-%d", n), Type: trade.Purchase, Currency: currency}
	total := int64(0)
	for i, minor := range lines {
		total += minor
		o.Lines = append(o.Lines, trade.Line{SKU: fmt.Sprintf("sku-%d", i), Category: "things", Quantity: 1, UnitPrice: cny(minor), Discount: cny(0), Tax: cny(0)})
	}
	p := payment.Payment{ID: s.Store.Mint(id.Payment), Amount: cny(total), Method: payment.MethodCardToken, Channel: "sandbox", ExpiresAt: time.Now().Add(time.Hour)}
	if err = s.commit(ctx, s.step(p.ID, id.Receive, 1, payment.Receive{Order: o, Payment: p, Idempotency: s.idempotency("POST /v1/payments", p.ID),
		Secrets: payment.Secrets{Token: "tok_ok"}, Customer: &payment.Customer{ID: buyer, Existing: true}})); err != nil {
		return "", "", fmt.Errorf("receive: %w", err)
	}
	d, err := s.Store.Dossier(ctx, book, p.ID)
	if err != nil {
		return "", "", err
	}
	if err = s.open(ctx, d.Payment); err != nil {
		return "", "", fmt.Errorf("open: %w", err)
	}
	return p.ID, d.Payment.OrderID, s.charge(ctx, p.ID)
}

// open commits the intent of the payment's charge.
func (s *Shop) open(ctx context.Context, p payment.Payment) error {
	request, err := json.Marshal(channels.ChargeRequest{AmountMinor: p.Amount.Minor, Currency: string(currency), Method: payment.Method{Type: p.Method, Token: "tok_ok"},
		Capture: true})
	if err != nil {
		return err
	}
	key, err := channels.NewKey(id.Key(p.ID, id.Step{Code: id.Charge, Ordinal: 1}), hashOf(string(request)), time.Now())
	if err != nil {
		return err
	}
	return s.commit(ctx, s.step(p.ID, id.Open, 1, payment.Intend{Request: request, Attempt: payment.Attempt{Book: book, PaymentID: p.ID, Part: 1, Ordinal: 1, Key: key.ID,
		Reference: key.Reference, Channel: "sandbox", ChannelAccount: s.account, Lane: payment.Standard, RequestHash: key.BodyHash, BornAt: key.BornAt}},
		payment.Update{Before: p, After: p, Opened: true, Plan: []byte(`{"routes":[],"reason":"only one"}`), Risk: []byte(`{"decision":"allow"}`)}))
}

// charge books that the channel took the money.
func (s *Shop) charge(ctx context.Context, paymentID string) error {
	d, err := s.Store.Dossier(ctx, book, paymentID)
	if err != nil {
		return err
	}
	out := payment.Outcome{Verdict: payment.Succeeded, AmountMinor: d.Payment.Amount.Minor, Currency: string(currency), ChannelID: "ch_" + paymentID[4:], EffectiveAt: time.Now()}
	r, err := payment.Settle(payment.Case{Payment: d.Payment, Attempt: d.Attempt(1), Terms: d.Terms, Calendar: d.Calendar, Now: time.Now(), Outcome: out, Last: true,
		End: payment.Canceled})
	if err != nil {
		return err
	}
	step := s.step(paymentID, r.Step.Code, r.Step.Ordinal, r.Changes(d.Payment, d.Attempt(1))...)
	step.Journals = r.Journals
	return s.commit(ctx, step)
}

// giveBack refunds a part of a payment and returns the refund's id; fails: the channel says no.
func (s *Shop) giveBack(ctx context.Context, paymentID string, minor int64, fails bool) (refundID string, err error) {
	r := refund.Refund{ID: s.Store.Mint(id.Refund), PaymentID: paymentID, MerchantID: s.merchant, Amount: cny(minor)}
	if err = s.commit(ctx, s.step(r.ID, id.Receive, 1, refund.Receive{Refund: r, Idempotency: s.idempotency("refund", r.ID)})); err != nil {
		return "", err
	}
	request, err := json.Marshal(channels.RefundRequest{AmountMinor: minor, Currency: string(currency)})
	if err != nil {
		return "", err
	}
	key := id.Key(r.ID, id.Step{Code: id.RefundOut, Ordinal: 1})
	if err = s.commit(ctx, s.step(r.ID, id.Open, 1, refund.Intend{Request: request, Attempt: refund.Attempt{Of: r.ID, Ordinal: 1, Key: key, Channel: "sandbox",
		ChannelAccount: s.account, RequestHash: hashOf(string(request))}})); err != nil {
		return "", err
	}
	out := payment.Outcome{Verdict: payment.Succeeded, AmountMinor: minor, Currency: string(currency), ChannelID: "re_" + r.ID[4:], EffectiveAt: time.Now()}
	if fails {
		out = payment.Outcome{Verdict: payment.Declined, Dead: true, Decline: &payment.Decline{Code: "account_closed"}}
	}
	d, err := s.Store.RefundDossier(ctx, book, r.ID)
	if err != nil {
		return "", err
	}
	m := refund.Move{Refund: d.Refund, Ordinal: 1, Outcome: out, Now: time.Now()}
	return r.ID, s.commit(ctx, ledger.Step{Book: book, Cause: id.Key(r.ID, m.Step()), Business: r.ID, By: ledger.Service("drill"), Changes: []ledger.Change{m}})
}
