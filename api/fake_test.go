package api_test

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"paysaga/channels"
	"paysaga/domain/access"
	"paysaga/domain/accrual"
	"paysaga/domain/delivery"
	"paysaga/domain/dispute"
	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/notice"
	"paysaga/domain/payment"
	"paysaga/domain/payout"
	"paysaga/domain/rebate"
	"paysaga/domain/refund"
	"paysaga/domain/trade"
	"paysaga/domain/transfer"
)

// minted makes ids for the fakes: in order, and never twice in a process.
var minted atomic.Uint64

func mint(prefix id.Prefix) string {
	n := minted.Add(1)
	return id.New(prefix, 1_790_000_000_000+n, [10]byte{byte(n >> 8), byte(n)})
}

// memory is a store of one process that keeps what the real one promises to the front.
type memory struct {
	mu        sync.Mutex
	keys      map[string]access.Principal
	open      []channels.OpenAccount
	accounts  map[string]channels.Account
	payments  map[string]payment.Payment
	refunds   map[string]refund.Refund
	disputes  []dispute.Dispute // as they were opened
	payouts   map[string]payout.Payout
	orders    map[string]trade.Order
	firsts    map[string]first // by idempotency scope
	callbacks map[string]channels.Received
	captures  map[string]payment.Capture
	cases     []exception.Case
	steps     []ledger.Step // every one that was committed
	endpoints map[string]delivery.Endpoint
	fail      map[string]error
	rules     ruleBook
	wallets   wallets
	campaigns campaignBook
	sessions  map[string]access.Session
	notices   noticeBook
	promised  rebateBook
	people    people
}

type first struct{ hash, object string }

func newMemory() *memory {
	return &memory{
		keys: map[string]access.Principal{}, accounts: map[string]channels.Account{}, payments: map[string]payment.Payment{}, refunds: map[string]refund.Refund{}, payouts: map[string]payout.Payout{},
		orders: map[string]trade.Order{}, firsts: map[string]first{}, callbacks: map[string]channels.Received{},
		endpoints: map[string]delivery.Endpoint{}, captures: map[string]payment.Capture{}, fail: map[string]error{},
		promised: rebateBook{runs: map[string]accrual.Run{}, reratings: map[string]accrual.Rerating{}},
		notices:  noticeBook{settings: map[string]notice.Settings{}},
		wallets:  wallets{map[string]int64{}, map[string]string{}, map[string]transfer.Transfer{}},
		rules:    ruleBook{inForce: map[string]int{}}, sessions: map[string]access.Session{}, people: newPeople(), campaigns: newCampaignBook(),
	}
}

// broken makes a method fail from now on; nil mends it.
func (m *memory) broken(method string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail[method] = err
}

// lock takes the store and says whether the method is broken.
func (m *memory) lock(method string) (func(), error) {
	m.mu.Lock()
	return m.mu.Unlock, m.fail[method]
}

// rows counts everything that a request could leave behind.
func (m *memory) rows() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.payments) + len(m.refunds) + len(m.payouts) + len(m.orders) + len(m.firsts) + len(m.callbacks) + len(m.steps) + len(m.endpoints) +
		len(m.people.kept) + len(m.people.users) + len(m.people.logins) + len(m.rules.sets) + len(m.rules.lines) + len(m.wallets.transfers) + len(m.notices.settings) + m.campaigns.count()
}

func (m *memory) committed() []ledger.Step {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.steps)
}

func (m *memory) Mint(prefix id.Prefix) string { return mint(prefix) }

func (m *memory) Health(context.Context) error {
	unlock, err := m.lock("Health")
	defer unlock()
	return err
}

func (m *memory) Authenticate(_ context.Context, token string) (access.Principal, error) {
	unlock, err := m.lock("Authenticate")
	defer unlock()
	if err != nil {
		return access.Principal{}, err
	}
	who, ok := m.keys[token]
	if !ok {
		return access.Principal{}, fault.Denied("key_unknown", "no such key")
	}
	return who, nil
}

func (m *memory) OpenAccounts(context.Context, id.Book, string) ([]channels.OpenAccount, error) {
	unlock, err := m.lock("OpenAccounts")
	defer unlock()
	return slices.Clone(m.open), err
}

func (m *memory) Account(_ context.Context, channel, accountID string) (channels.Account, error) {
	unlock, err := m.lock("Account")
	defer unlock()
	a, ok := m.accounts[accountID]
	if err == nil && (!ok || a.Channel != channel) {
		err = fault.NotFound("channel account")
	}
	return a, err
}

func scopeOf(book id.Book, k access.Idempotency) string {
	return strings.Join([]string{string(book), k.MerchantID, k.Operation, k.Key}, "|")
}

func (m *memory) Replayed(_ context.Context, book id.Book, k access.Idempotency) (string, bool, error) {
	unlock, err := m.lock("Replayed")
	defer unlock()
	if err != nil {
		return "", false, err
	}
	return m.replayed(book, k)
}

func (m *memory) replayed(book id.Book, k access.Idempotency) (string, bool, error) {
	f, ok := m.firsts[scopeOf(book, k)]
	if ok && f.hash != k.RequestHash {
		return "", false, fault.Invalid("idempotency_key_reused", "Idempotency-Key", "the key was used with another body")
	}
	return f.object, ok, nil
}

func (m *memory) Commit(_ context.Context, s ledger.Step) (ledger.Receipt, error) {
	unlock, err := m.lock("Commit")
	defer unlock()
	if err != nil {
		return ledger.Receipt{}, err
	}
	var key access.Idempotency
	var object string
	switch c := s.Changes[0].(type) {
	case payment.Receive:
		key, object = c.Idempotency, c.Payment.ID
	case payment.ReceiveTopUp:
		key, object = c.Idempotency, c.Payment.ID
	case payment.RequestCancel:
		key, object = c.Idempotency, c.PaymentID
	case payment.ReceiveCapture:
		key, object = c.Idempotency, c.CaptureID
	case trade.Receive:
		key, object = c.Idempotency, c.Order.ID
	case payout.Receive:
		key, object = c.Idempotency, c.Payout.ID
	case refund.Receive:
		key, object = c.Idempotency, c.Refund.ID
	case transfer.Receive:
		key, object = c.Idempotency, c.Transfer.ID
	case rebate.Create:
		key, object = c.Idempotency, c.Campaign.ID
	case rebate.Fund:
		key, object = c.Idempotency, c.ID
	}
	if old, found, err := m.replayed(s.Book, key); key.Key != "" && (err != nil || found) {
		return ledger.Receipt{Cause: s.Cause, Replayed: found, Object: old}, err
	}
	object, err = m.apply(s, object)
	if err != nil {
		return ledger.Receipt{}, err
	}
	m.firsts[scopeOf(s.Book, key)] = first{key.RequestHash, object}
	m.steps = append(m.steps, s)
	return ledger.Receipt{Cause: s.Cause, Object: object}, nil
}

func (m *memory) apply(s ledger.Step, object string) (string, error) {
	switch c := s.Changes[0].(type) {
	case payment.Receive:
		return object, m.receive(c)
	case payment.ReceiveTopUp:
		p := c.Payment
		p.Parts = []payment.Part{{Ordinal: 1, Source: payment.FromChannel, Amount: p.Amount}}
		m.payments[p.ID] = p
		return object, m.holder(p.Book, p.MerchantID, p.CustomerID)
	case payment.RequestCancel:
		p := m.payments[c.PaymentID]
		switch {
		case p.Status.Terminal():
			return "", fault.Conflict("payment_not_cancelable", "the payment has ended")
		case !p.CancelRequested.IsZero():
			return "", fault.Conflict("cause_conflict", "the cause stands with other content")
		}
		p.CancelRequested = c.At
		m.payments[p.ID] = p
	case payment.ReceiveCapture:
		return object, m.receiveCapture(s.Book, c)
	case trade.Receive:
		return m.standing(c.Order)
	case trade.Arrival:
		o, _, err := m.orders[c.OrderID].Arrived(cmp.Or(c.At, m.orders[c.OrderID].CreatedAt), m.orders[c.OrderID].CreatedAt.Add(time.Hour))
		m.orders[o.ID] = o
		return object, err
	case payout.Receive:
		return object, m.receivePayout(c)
	case refund.Receive:
		return object, m.receiveRefund(c)
	case transfer.Receive:
		return object, m.receiveTransfer(c)
	case rebate.Create, rebate.SaveVersion, rebate.Revise, rebate.Fund:
		return object, m.campaigns.move(s)
	}
	return object, nil
}

// standing stores an order, or finds the one that has its reference.
func (m *memory) standing(o trade.Order) (string, error) {
	for _, old := range m.orders {
		if old.Book == o.Book && old.MerchantID == o.MerchantID && old.Reference == o.Reference {
			if !old.Same(o) {
				return "", fault.Conflict("order_reference_exists", "the reference stands for another order").WithParam("order.reference")
			}
			return old.ID, nil
		}
	}
	m.orders[o.ID] = o
	return o.ID, nil
}

func (m *memory) receive(c payment.Receive) error {
	p := c.Payment
	o, isNew := trade.Order{}, false
	if c.Order != nil {
		o, isNew = *c.Order, true
		for _, old := range m.orders {
			if old.Book == o.Book && old.MerchantID == o.MerchantID && old.Reference == o.Reference {
				if !old.Same(o) {
					return fault.Conflict("order_reference_exists", "the reference stands for another order").WithParam("order.reference")
				}
				o, isNew = old, false
			}
		}
	} else {
		old, ok := m.orders[p.OrderID]
		if !ok || old.Book != p.Book || old.MerchantID != p.MerchantID {
			return fault.NotFound("order").WithParam("order_id")
		}
		o = old
	}
	if p.Amount.IsZero() {
		p.Amount = money.New(o.Unpaid().Minor, p.Amount.Currency)
	}
	if err := o.Admit(p.Amount, c.AllowPartial); err != nil {
		return err
	}
	p.OrderID, p.OrderRef = o.ID, o.Reference
	if isNew {
		m.orders[o.ID] = o
	}
	m.payments[p.ID] = p
	return nil
}

// move changes a payment as its saga would.
func (m *memory) move(paymentID string, change func(*payment.Payment)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.payments[paymentID]
	if p.Status.Terminal() {
		return
	}
	change(&p)
	p.Sequence++
	m.payments[paymentID] = p
}

func (m *memory) Payment(_ context.Context, book id.Book, merchantID, paymentID string) (payment.Payment, error) {
	unlock, err := m.lock("Payment")
	defer unlock()
	p, ok := m.payments[paymentID]
	if err == nil && (!ok || p.Book != book || (merchantID != "" && p.MerchantID != merchantID)) {
		err = fault.NotFound("payment")
	}
	if err != nil {
		return payment.Payment{}, err
	}
	return p, nil
}

func (m *memory) Payments(_ context.Context, f payment.Filter) ([]payment.Payment, bool, error) {
	unlock, err := m.lock("Payments")
	defer unlock()
	var list []payment.Payment
	for _, p := range m.payments {
		if p.TopUp() == f.TopUps && (f.UserID == "" || f.UserID == p.CustomerID) && p.Book == f.Book && (f.MerchantID == "" || p.MerchantID == f.MerchantID) && (f.Status == "" || p.Status == f.Status) &&
			(f.OrderID == "" || p.OrderID == f.OrderID) && (f.Channel == "" || p.Channel == f.Channel) && (f.After == "" || p.ID < f.After) &&
			!p.CreatedAt.Before(f.CreatedFrom) && (f.CreatedBefore.IsZero() || p.CreatedAt.Before(f.CreatedBefore)) {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b payment.Payment) int { return strings.Compare(b.ID, a.ID) })
	if len(list) > f.Limit {
		return list[:f.Limit], true, err
	}
	return list, false, err
}

func (m *memory) Order(_ context.Context, book id.Book, merchantID, orderID string) (trade.Order, []payment.Payment, error) {
	unlock, err := m.lock("Order")
	defer unlock()
	o, ok := m.orders[orderID]
	if err == nil && (!ok || o.Book != book || (merchantID != "" && o.MerchantID != merchantID)) {
		err = fault.NotFound("order")
	}
	if err != nil {
		return trade.Order{}, nil, err
	}
	var list []payment.Payment
	for _, p := range m.payments {
		if p.OrderID == orderID {
			list = append(list, p)
		}
	}
	return o, list, nil
}

func (m *memory) Timeline(ctx context.Context, book id.Book, merchantID, paymentID string) ([]payment.Occurrence, error) {
	p, err := m.Payment(ctx, book, merchantID, paymentID)
	if err != nil {
		return nil, err
	}
	return []payment.Occurrence{{At: p.CreatedAt, Kind: "request", Text: "received", Data: map[string]any{"principal": "key"}}}, nil
}

func (m *memory) ReceiveCallback(_ context.Context, r channels.Received) (string, bool, error) {
	unlock, err := m.lock("ReceiveCallback")
	defer unlock()
	if err != nil {
		return "", false, err
	}
	at := r.ChannelAccount + "|" + r.EventID
	if old, ok := m.callbacks[at]; ok {
		return old.ID, false, nil
	}
	m.callbacks[at] = r
	return r.ID, true, nil
}

// sagas stands for the workflows: by default a payment succeeds at once and a cancel cancels.
type sagas struct {
	store    *memory
	accepted atomic.Int64
	moved    atomic.Int64
	cancels  atomic.Int64
	accept   atomic.Pointer[func(context.Context, payment.Payment) error]
	cancel   atomic.Pointer[func(context.Context, payment.Payment) error]
	capture  atomic.Pointer[func(context.Context, payment.Payment, string) error]
	health   atomic.Pointer[error]

	acceptRefund   atomic.Pointer[func(context.Context, refund.Refund) error]
	acceptTransfer atomic.Pointer[func(context.Context, transfer.Transfer) error]
	acceptPayout   atomic.Pointer[func(context.Context, payout.Payout) error]
}

func (s *sagas) Accept(ctx context.Context, p payment.Payment) error {
	s.accepted.Add(1)
	if f := s.accept.Load(); f != nil {
		return (*f)(ctx, p)
	}
	s.store.move(p.ID, succeed)
	return nil
}

func (s *sagas) Cancel(ctx context.Context, p payment.Payment) error {
	s.cancels.Add(1)
	if f := s.cancel.Load(); f != nil {
		return (*f)(ctx, p)
	}
	s.store.move(p.ID, func(p *payment.Payment) { p.Status = payment.Canceled })
	return nil
}

func (s *sagas) Health(context.Context) error {
	if err := s.health.Load(); err != nil {
		return *err
	}
	return nil
}

func succeed(p *payment.Payment) {
	p.Status, p.Channel, p.Captured = payment.Paid, "sandbox", p.Amount
	p.EffectiveAt, p.BusinessDate = p.CreatedAt, "2026-11-21"
}

func needsAction(p *payment.Payment) {
	p.Status, p.Channel = payment.RequiresAction, "sandbox"
	p.NextAction = &payment.Action{Type: "qr_code", URL: "https://qr.example/x?a=1&b=2"}
}

// fakeChannel takes CNY and JPY, and believes callbacks that are signed "good".
type fakeChannel struct {
	channels.Unsupported
	name    string
	methods []payment.MethodType
}

func (f fakeChannel) Describe() channels.Description {
	return channels.Description{Name: f.name, Operations: []channels.Operation{channels.OpCallback, channels.OpCapture, channels.OpPayout, channels.OpAskPayout},
		MultiCapture: true, Methods: f.methods, Currencies: []string{"CNY", "JPY", "KWD"}}
}

func (f fakeChannel) ParseCallback(_ channels.Account, raw channels.RawCallback) (channels.Callback, error) {
	switch signature := raw.Header["X-Signature"]; {
	case len(signature) != 1 || signature[0] != "good":
		return channels.Callback{}, fault.Denied("signature_invalid", "the signature doesn't match")
	case len(raw.Body) == 0:
		return channels.Callback{}, fault.Invalid("callback_unreadable", "", "the callback is empty")
	}
	c := channels.Callback{Subject: channels.SubjectCharge, Reference: "p" + strings.Repeat("0", 26) + "ch1"}
	if e := raw.Header["X-Event"]; len(e) == 1 {
		c.EventID = e[0]
	}
	c.Outcome = payment.Outcome{Verdict: payment.Succeeded, AmountMinor: 1234, Currency: "CNY", EffectiveAt: raw.Now}
	return c, nil
}

// clock stands still unless it is moved.
type clock struct{ now atomic.Int64 }

func (c *clock) Now() time.Time { return time.UnixMicro(c.now.Load()) }
