package cells

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	sdk "go.temporal.io/api/sdk/v1"

	"paysaga/channels/sandbox/server"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// Run is one cell on its way: a merchant of its own, sandboxes of its own, and what was asked and answered.
type Run struct {
	Cell     Cell
	Scenario Scenario
	ctx      context.Context
	house    *House
	merchant *stage.Merchant
	scope    *scope
	received int      // payments that the store received without the API
	proxies  []*proxy // one before each sandbox
	fate     fate
	judged   bool // under the house's mutex

	mu      sync.Mutex
	seen    map[string]int
	orders  []*Order
	plain   []string // violations found on the way
	nudged  bool
	settled time.Duration // from the end of the play
}

// Order is one POST of ours, and what was answered.
type Order struct {
	Path, Key, ID string
	Body          map[string]any
}

// Bound is I-18: how long after the last fault everything has to be terminal, parked with a reason, or waiting.
const Bound = 60 * time.Second

// fee is what a drill's merchants pay.
const fee = 60 // basis points

// Verdict is what a run came to.
type Verdict struct {
	Cell       Cell
	End        string
	Violations []string
	Fired      bool
	Settled    time.Duration
	Nudged     bool
	Again      bool // it came too late and is run once more
}

// Do runs a cell and judges it. An error means that it could not be run.
func (h *House) Do(ctx context.Context, s Scenario, c Cell) (v Verdict, err error) {
	scope := &scope{name: c.String()}
	defer scope.end()
	ctx, stop := context.WithTimeout(ctx, Bound+time.Minute)
	defer stop()
	r := &Run{scope: scope, Cell: c, Scenario: s, ctx: ctx, house: h, seen: map[string]int{}}
	for try := 1; ; try++ { // another run may have cut the connections just now
		err = scope.run(func() error { return r.begin(scope) })
		if err == nil {
			break
		}
		if try == 20 || r.rest(200*time.Millisecond) != nil {
			return v, err
		}
		scope.end()
		r.proxies = nil
	}
	defer h.forget(r)
	err = scope.run(func() error { return s.Play(r) })
	if err != nil {
		r.complain("the play could not be finished: %v", err)
	}
	began := time.Now()
	facts := r.settle()
	r.settled = time.Since(began)
	return r.judge(facts), nil
}

func (h *House) forget(r *Run) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.judged = true
}

// begin makes the merchant, and a sandbox and a proxy for each of its channel accounts.
func (r *Run) begin(scope *scope) error {
	var specs []stage.AccountSpec
	for i := range max(r.Scenario.Accounts, 1) {
		p, err := r.house.proxies.between(fmt.Sprintf("sandbox-%d", i), "")
		if err != nil {
			return err
		}
		scope.Cleanup(p.stop)
		r.proxies = append(r.proxies, p)
		lane := payment.Express
		if r.Scenario.Standard {
			lane = payment.Standard
		}
		tries := 0
		if r.Scenario.Silent {
			tries = -1
		}
		config := server.Config{PendingDelay: 300 * time.Millisecond, CallbackPause: 50 * time.Millisecond, CallbackTries: tries, Hang: 4 * time.Second,
			AuthorizedFor: 7 * 24 * time.Hour}
		if r.Scenario.Server != nil {
			r.Scenario.Server(&config)
		}
		specs = append(specs, stage.AccountSpec{Lane: lane, URL: "http://" + p.address(), Server: config})
	}
	r.merchant = r.house.Stage.Merchant(scope, r.Scenario.terms(), specs...)
	for i, sb := range r.merchant.Sandboxes {
		at, err := url.Parse(sb.URL)
		if err != nil {
			return err
		}
		r.proxies[i].p.Upstream = at.Host
	}
	r.house.mu.Lock()
	r.house.byMerchant[r.merchant.ID] = r
	r.house.mu.Unlock()
	return nil
}

func (r *Run) proxyOf(account string) *proxy {
	for i, sb := range r.merchant.Sandboxes {
		if sb.Account == account {
			return r.proxies[i]
		}
	}
	return r.proxies[0]
}

// visit is an execution of an activity. Those that failed, because of another run's fault for one, don't count.
func (r *Run) visit(saga, name string) *visit {
	r.mu.Lock()
	defer r.mu.Unlock()
	name = saga + "/" + name
	b := r.Cell.Boundary
	return &visit{run: r, name: name, hot: name == b.Saga+"/"+b.Activity && r.seen[name]+1 == b.Nth}
}

func (r *Run) passed(v *visit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[v.name]++
}

func (r *Run) complain(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plain = append(r.plain, fmt.Sprintf(format, args...))
}

// post asks for something until that is acknowledged or refused, as a merchant's backend does.
func (r *Run) post(path, key string, body map[string]any) (stage.Answer, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return stage.Answer{}, err
	}
	return r.until(http.MethodPost, path, key, raw)
}

// until sends a request again and again until it is answered by a 2xx or a 4xx.
func (r *Run) until(method, path, key string, raw []byte) (stage.Answer, error) {
	for {
		a, err := r.send(method, path, key, raw)
		switch {
		case err == nil && a.Code < 500:
			return a, nil
		case err == nil && a.Code == http.StatusInternalServerError:
			r.complain("%s %s answered 500: %s", method, path, a.Raw)
		}
		if err := r.rest(100 * time.Millisecond); err != nil {
			return stage.Answer{}, fmt.Errorf("%s was never acknowledged: %w", path, err)
		}
	}
}

func (r *Run) rest(d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	}
}

func (r *Run) send(method, path, key string, body []byte) (a stage.Answer, err error) {
	req, err := http.NewRequestWithContext(r.ctx, method, r.house.Stage.API.URL+path, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	req.Header.Set("Authorization", "Bearer "+r.merchant.Key)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", key)
	}
	if a.Code, a.Raw, err = r.house.fetch(req); err != nil || a.Code >= 400 {
		return a, err
	}
	return a, json.Unmarshal(a.Raw, &a.Public)
}

// order posts what creates something, and remembers it.
func (r *Run) order(path, key string, body map[string]any) (stage.Answer, error) {
	a, err := r.post(path, key, body)
	if err == nil && a.Code >= 300 {
		err = fmt.Errorf("%s was refused: %d %s", path, a.Code, a.Raw)
	}
	if err == nil {
		var object string
		object, err = idOf(a.Raw)
		r.mu.Lock()
		r.orders = append(r.orders, &Order{Path: path, Key: key, Body: body, ID: object})
		r.mu.Unlock()
	}
	return a, err
}

// idOf reads the id of an object that the API shows.
func idOf(raw []byte) (string, error) {
	var object struct{ ID string }
	err := json.Unmarshal(raw, &object)
	return object.ID, err
}

// Pay asks for a payment of 12.34 CNY, and returns its id.
func (r *Run) Pay(method map[string]any, more map[string]any) (string, error) {
	r.mu.Lock()
	n := len(r.orders) + 1
	r.mu.Unlock()
	body := map[string]any{"order": map[string]any{"reference": fmt.Sprintf("A-%d", n), "type": "purchase"},
		"amount": "12.34", "currency": "CNY", "method": method}
	for k, v := range more {
		body[k] = v
	}
	a, err := r.order("/v1/payments", fmt.Sprintf("pay-%d", n), body)
	if err != nil {
		return "", err
	}
	if got, err := r.until(http.MethodGet, "/v1/payments/"+a.ID, "", nil); err != nil || got.Code != http.StatusOK {
		r.complain("I-19: %s was acknowledged, and the API says %s (%v)", a.ID, got.Raw, err)
	}
	return a.ID, nil
}

// script orders a fault of a sandbox.
func (r *Run) script(account string, script map[string]any) error {
	for _, sb := range r.merchant.Sandboxes {
		if account == "" || sb.Account == account {
			if err := r.admin(sb, "script", script); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Run) admin(sb *stage.Sandbox, path string, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(r.ctx, http.MethodPost, sb.URL+"/admin/"+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	code, text, err := r.house.fetch(req)
	if err == nil && code >= 300 {
		err = fmt.Errorf("the sandbox answers %d: %s", code, text)
	}
	return err
}

// payments are the ids of the payments that were acknowledged, or are known otherwise.
func (r *Run) payments() []string {
	r.house.mu.Lock()
	defer r.house.mu.Unlock()
	var list []string
	for business, of := range r.house.byBusiness {
		if of == r && strings.HasPrefix(business, string(id.Payment)) {
			list = append(list, business)
		}
	}
	return list
}

// callBack lets the sandboxes tell again what they have to tell.
func (r *Run) callBack(mode string, times int) error {
	for _, p := range r.payments() {
		for _, sb := range r.merchant.Sandboxes {
			book := sb.Lookup(p)
			names := []string{}
			if len(book.Charges) > 0 && !book.Charges[len(book.Charges)-1].Tombstone {
				names = append(names, p)
			}
			for _, m := range book.Refunds {
				names = append(names, m.Key)
			}
			for _, name := range names {
				if err := r.admin(sb, "callbacks", map[string]any{"reference": name, "mode": mode, "times": times}); err != nil {
					r.complain("drill: %v", err)
				}
			}
		}
	}
	return nil
}

// forge tells our API a success that never was, signed by somebody else (I-21).
func (r *Run) forge() error {
	for _, p := range r.payments() {
		for _, sb := range r.merchant.Sandboxes {
			ref, err := id.Reference(id.Key(p, id.Step{Code: id.Charge, Ordinal: 1}))
			if err != nil {
				return err
			}
			now := time.Now()
			e := server.Event{EventID: "forged_" + p, Type: "charge.succeeded", Reference: ref, State: server.Succeeded, AmountMinor: 1234,
				Currency: "CNY", ChannelID: "sbx_forged", OccurredAt: now, SucceededAt: now}
			raw, err := json.Marshal(e)
			if err != nil {
				return err
			}
			req, err := http.NewRequestWithContext(r.ctx, http.MethodPost, r.house.Stage.API.URL+"/v1/callbacks/sandbox/"+sb.Account, bytes.NewReader(raw))
			if err != nil {
				return err
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Sandbox-Signature", server.Signature(server.CallbackSecret("a forger"), now, raw))
			r.house.count(func(t *Tally) { t.Forged++ })
			if code, text, err := r.house.fetch(req); err == nil && code < 400 {
				r.complain("I-21: a forged callback was answered %d %s", code, text)
			}
		}
	}
	return nil
}

// state is what stood when the rows were last read.
func (r *Run) state() state { return (*r.house.watching.Load())[r.merchant.ID] }

// Until waits until the rows are as wanted.
func (r *Run) Until(what string, wanted func(state) bool) error {
	for !wanted(r.state()) {
		select {
		case <-r.house.next():
		case <-r.ctx.Done():
			return fmt.Errorf("it never came to this: %s", what)
		}
		if err := r.nudge(); err != nil {
			return err
		}
	}
	return nil
}

// terms are what a scenario's merchant has agreed on.
func (s Scenario) terms() payment.Terms {
	return payment.Terms{FeeBasisPoints: fee, Policies: s.Policies}
}

// done says whether a state needs nobody any more but those that it names.
func done(s state) bool {
	if len(s.Payments) == 0 || s.Waiting > 0 {
		return false
	}
	for _, p := range s.Payments {
		status := payment.Status(p.Status)
		parked := p.Parked != "" && !p.InDoubt
		if p.Due || p.InDoubt || !status.Terminal() && status != payment.Reserved && !parked {
			return false
		}
	}
	for _, f := range s.Refunds {
		if f.Due || f.InDoubt || f.Status == "processing" && f.Parked == "" {
			return false
		}
	}
	for _, c := range s.Cases {
		if c.Due || c.State == "decided" && c.Parked == "" {
			return false
		}
	}
	return true
}

// settle waits until everything is terminal, parked, or waits for somebody, as long as I-18 allows.
func (r *Run) settle() state {
	ctx, stop := context.WithTimeout(r.ctx, Bound)
	defer stop()
	for quiet := 0; quiet < 2; { // twice in a row: something may just be on its way from one to the other
		select {
		case <-r.house.next():
		case <-ctx.Done():
			return r.state()
		}
		if done(r.state()) && r.sagasAgree() {
			quiet++
			continue
		}
		quiet = 0
		if err := r.nudge(); err != nil {
			return r.state()
		}
	}
	return r.state()
}

// sagas are the workflows of what is there, and whether each has to be open.
func sagas(s state) map[string]bool {
	list := map[string]bool{}
	for _, p := range s.Payments {
		list[workflows.PaymentID(p.ID)] = !payment.Status(p.Status).Terminal()
	}
	for _, f := range s.Refunds {
		list["refund/"+f.ID] = f.Status == "processing"
	}
	for _, c := range s.Cases {
		list[c.ID] = c.State != "closed"
	}
	return list
}

// sagasAgree: each thing has ended if, and only if, its saga has.
func (r *Run) sagasAgree() bool {
	for workflowID, want := range sagas(r.state()) {
		open, err := r.open(workflowID)
		if err != nil || open != want {
			return false
		}
	}
	return true
}

func (r *Run) open(workflowID string) (bool, error) {
	d, err := r.house.Stage.Client.DescribeWorkflowExecution(r.ctx, workflowID, "")
	if err != nil {
		return false, err
	}
	return d.WorkflowExecutionInfo.Status.String() == "Running", nil
}

// nudge is the operator: what a saga is parked for is gone by now, so it may go on. At most every two seconds.
func (r *Run) nudge() error {
	r.mu.Lock()
	due := time.Since(r.fate.asked) > 2*time.Second
	if due {
		r.fate.asked = time.Now()
	}
	r.mu.Unlock()
	if !due || !r.hasFired() {
		return nil
	}
	for workflowID, open := range sagas(r.state()) {
		if !open {
			continue
		}
		if text, err := r.details(workflowID); err == nil && strings.Contains(text, "retry_now") {
			if r.house.Stage.UpdateWorkflow(workflowID, workflows.UpdateRetry) == nil {
				r.house.count(func(t *Tally) { t.Nudges++ })
				r.nudged = true
			}
		}
	}
	return nil
}

// details are what operators see of a saga.
func (r *Run) details(workflowID string) (string, error) {
	v, err := r.house.Stage.Client.QueryWorkflow(r.ctx, workflowID, "", "__temporal_workflow_metadata")
	if err != nil {
		return "", err
	}
	var meta sdk.WorkflowMetadata
	err = v.Get(&meta)
	return meta.CurrentDetails, err
}

var errNoCharge = errors.New("there is nothing to pay at any sandbox")

// Customer acts at whichever sandbox waits for it.
func (r *Run) Customer(act map[string]any, paymentID string) error {
	for _, sb := range r.merchant.Sandboxes {
		if len(sb.Lookup(paymentID).Charges) == 0 {
			continue
		}
		body := map[string]any{"reference": paymentID}
		for k, v := range act {
			body[k] = v
		}
		return r.admin(sb, "pay", body)
	}
	return errNoCharge
}
