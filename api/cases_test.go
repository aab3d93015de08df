package api_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

// Case, Cases and DecideCase are what the store and the steps promise to the front, in memory.
func (m *memory) Case(_ context.Context, book id.Book, merchantID, caseID string) (exception.Case, error) {
	unlock, err := m.lock("Case")
	defer unlock()
	i := slices.IndexFunc(m.cases, func(k exception.Case) bool {
		return k.Book == book && k.ID == caseID && (merchantID == "" || k.MerchantID == merchantID)
	})
	if err != nil || i < 0 {
		return exception.Case{}, fault.NotFound("case")
	}
	return m.cases[i], nil
}

func (m *memory) Cases(_ context.Context, f exception.Filter) (list []exception.Case, more bool, err error) {
	unlock, err := m.lock("Cases")
	defer unlock()
	for _, k := range m.cases {
		if k.Book == f.Book && (f.MerchantID == "" || k.MerchantID == f.MerchantID) && (f.State == "" || k.State() == f.State) &&
			(f.Kind == "" || k.Kind == f.Kind) && (f.PaymentID == "" || k.PaymentID == f.PaymentID) && k.ID > f.After {
			list = append(list, k)
		}
	}
	return list[:min(len(list), f.Limit)], len(list) > f.Limit, err
}

func (m *memory) DecideCase(ctx context.Context, in exception.Resolution) (exception.Case, error) {
	k, err := m.Case(ctx, in.Book, in.MerchantID, in.CaseID)
	if err != nil {
		return k, err
	}
	unlock, err := m.lock("DecideCase")
	defer unlock()
	if in.Decision.ForOperators() && in.By.Kind != ledger.ByOperator {
		return k, fault.Denied("operators_only", "not yours").WithParam("decision")
	}
	move, moveErr := k.Decide(in.Decision, exception.By{Actor: in.By.ID, Verified: true, Reason: in.By.Reason}, mint(id.Refund), time.Unix(1_790_000_000, 0))
	if err != nil || moveErr != nil {
		return k, firstOf(err, moveErr)
	}
	i := slices.IndexFunc(m.cases, func(c exception.Case) bool { return c.ID == k.ID })
	m.cases[i] = move.After
	m.firsts[scopeOf(in.Book, in.Idempotency)] = first{in.Idempotency.RequestHash, k.ID}
	return move.After, nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *sagas) CaseMoved(context.Context, exception.Case) error {
	s.moved.Add(1)
	return nil
}

// aCase opens a case of the shop's, or of nobody's.
func (f *front) aCase(kind exception.Kind, merchant string) exception.Case {
	k := exception.Case{Book: id.Test, MerchantID: merchant, ChannelAccount: f.account, Kind: kind, Amount: money.New(1000, "CNY"),
		Reason: "the channel took CNY 10.00", OpenedAt: time.Unix(1_789_999_000, 0), Policy: exception.Default(kind), Sequence: 1}
	about := mint(id.Callback)
	if merchant != "" {
		k.PaymentID = mint(id.Payment)
		about = k.PaymentID
	}
	k.ID = exception.ID(about, kind, "1")
	f.store.mu.Lock()
	defer f.store.mu.Unlock()
	f.store.cases = append(f.store.cases, k)
	return k
}

func (f *front) resolve(t *testing.T, k exception.Case, body string, edit ...func(*http.Request)) answer {
	t.Helper()
	return f.do(t, request(http.MethodPost, "/v1/cases/"+k.Path()+"/resolve", body, edit...))
}

func TestCasesAreReadByTheirMerchant(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	mine, theirs, nobodys := f.aCase(exception.PartialPayment, shop), f.aCase(exception.LateSuccess, other), f.aCase(exception.Orphan, "")
	for key, want := range map[string][]exception.Case{keyOfShop: {mine}, keyOfOther: {theirs}, keyOfLive: nil, keyOfOperator: {mine, theirs, nobodys}} {
		a := f.do(t, request(http.MethodGet, "/v1/cases", "", as(key)))
		if n := len(a.json(t)["data"].([]any)); a.status != 200 || n != len(want) {
			t.Errorf("%s lists %d cases: %d %s", key, n, a.status, a.body)
		}
		for _, k := range []exception.Case{mine, theirs, nobodys} {
			for _, target := range []string{"/v1/cases/" + k.Path(), "/v1/cases/" + strings.ReplaceAll(k.ID, "/", "%2F")} {
				status := 404
				if slices.ContainsFunc(want, func(c exception.Case) bool { return c.ID == k.ID }) {
					status = 200
				}
				if a := f.do(t, request(http.MethodGet, target, "", as(key))); a.status != status || (status == 200 && a.text(t, "id") != k.ID) {
					t.Errorf("%s reads %s: %d %s (I-25)", key, target, a.status, a.body)
				}
			}
		}
	}
	for query, n := range map[string]int{"status=open": 3, "status=closed": 0, "kind=orphan": 1, "payment_id=" + mine.PaymentID: 1, "limit=2": 2} {
		a := f.do(t, request(http.MethodGet, "/v1/cases?"+query, "", as(keyOfOperator)))
		if got := len(a.json(t)["data"].([]any)); got != n {
			t.Errorf("%s lists %d: %s", query, got, a.body)
		}
	}
}

func TestACaseIsDecidedOnce(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	k := f.aCase(exception.PartialPayment, shop)
	body := `{"decision":"return","reason":"the customer wants it back"}`
	a := f.resolve(t, k, body, with("Idempotency-Key", "one"))
	if a.status != 200 || a.text(t, "status") != "decided" || a.text(t, "decision") != "return" || a.json(t)["verified"] != true ||
		!strings.HasPrefix(a.text(t, "decided_by"), "key_") || a.text(t, "decision_reason") != "the customer wants it back" || f.sagas.moved.Load() != 1 {
		t.Fatalf("%d %s, told %d times", a.status, a.body, f.sagas.moved.Load())
	}
	again := f.resolve(t, k, body, with("Idempotency-Key", "one"))
	if again.status != 200 || again.header.Get("Idempotent-Replayed") != "true" || again.text(t, "refund_id") != a.text(t, "refund_id") {
		t.Errorf("repeated: %d %s", again.status, again.body)
	}
	checkProblem(t, refusal{name: "another body", status: 422, code: "idempotency_key_reused", param: "Idempotency-Key"},
		f.resolve(t, k, `{"decision":"accept","reason":"x"}`, with("Idempotency-Key", "one")))
	checkProblem(t, refusal{name: "decided", status: 409, code: "case_closed"}, f.resolve(t, k, body, with("Idempotency-Key", "two")))
}

func TestOperatorsDecideWithoutNamingAMerchant(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	for _, kind := range []exception.Kind{exception.Orphan, exception.Contradiction} {
		k := f.aCase(kind, map[bool]string{true: shop}[kind != exception.Orphan])
		a := f.resolve(t, k, `{"decision":"dismiss","reason":"seen"}`, as(keyOfOperator))
		if a.status != 200 || a.text(t, "status") != "closed" || !strings.HasPrefix(a.text(t, "decided_by"), "opr_") {
			t.Errorf("%s: %d %s", kind, a.status, a.body)
		}
	}
}

func TestBadDecisionsAreRefused(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	k := f.aCase(exception.AmountMismatch, shop)
	foreign := f.aCase(exception.AmountMismatch, other)
	one := func(body string, status int, code, param string, edit ...func(*http.Request)) {
		t.Helper()
		checkProblem(t, refusal{name: body, status: status, code: code, param: param}, f.resolve(t, k, body, edit...))
	}
	before := f.store.rows()
	for body, param := range map[string]string{`{"reason":"x"}`: "decision", `{"decision":"accept"}`: "reason", `{"decision":"accept","reason":""}`: "reason", `{"decision":"","reason":"x"}`: "decision"} {
		one(body, 422, "field_required", param)
	}
	one(`{"decision":"sell_it","reason":"x"}`, 422, "decision_invalid", "decision")
	one(`{"decision":"ask","reason":"x"}`, 422, "decision_invalid", "decision")
	one(`{"decision":"fulfil","reason":"x"}`, 422, "decision_invalid", "decision")
	one(`{"decision":"Accept","reason":"x"}`, 422, "decision_invalid", "decision")
	one(`{"decision":7,"reason":"x"}`, 422, "type_invalid", "decision")
	one(`{"decision":null,"reason":"x"}`, 422, "null_refused", "decision")
	one(`{"decision":"accept","reason":["x"]}`, 422, "type_invalid", "reason")
	one(`{"decision":"accept","reason":"`+strings.Repeat("茶", 501)+`"}`, 422, "text_too_long", "reason")
	one(`{"decision":"accept","reason":"x","actor":"ada"}`, 422, "field_unknown", "actor")
	one(`{"decision":"accept","decision":"return","reason":"x"}`, 400, "json_invalid", "decision")
	one(`{"decision":"accept","reason":"x"}x`, 400, "json_invalid", "")
	one(``, 415, "content_type_unsupported", "Content-Type")
	one(`[]`, 400, "json_invalid", "")
	one(`{"decision":"wait","reason":"x"}`, 409, "decision_refused", "decision")
	one(`{"decision":"dismiss","reason":"x"}`, 403, "operators_only", "decision")
	one(`{"decision":"write_off","reason":"x"}`, 403, "operators_only", "decision")
	one(`{"decision":"accept","reason":"x"}`, 400, "idempotency_key_missing", "Idempotency-Key", without("Idempotency-Key"))
	one(`{"decision":"accept","reason":"x"}`, 403, "scope_missing", "", as(keyOfReader))
	one(`{"decision":"accept","reason":"x"}`, 404, "not_found", "", as(keyOfOther))
	one(`{"decision":"accept","reason":"x"}`, 404, "not_found", "", as(keyOfLive))
	if f.store.rows() != before || f.sagas.moved.Load() != 0 {
		t.Error("a refused decision left something")
	}
	for _, target := range []string{"case", "case.x", "pay_1", "case.pay_1.late_success", "case.pay_1.other.cs1", "case..late_success.cs1", "case.a b.late_success.cs1",
		"case.%00.late_success.cs1", "case." + strings.Repeat("a", 100) + ".late_success.cs1", strings.ReplaceAll(foreign.ID, "/", ".")} {
		if a := f.do(t, request(http.MethodGet, "/v1/cases/"+strings.ReplaceAll(target, " ", "%20"), "")); a.status != 404 {
			t.Errorf("%q: %d %s", target, a.status, a.body)
		}
	}
	for _, query := range []string{"status=lost", "status=succeeded", "kind=x", "payment_id=ord_1", "starting_after=pay_1", "limit=0", "merchant=x", "status=open&status=closed"} {
		if a := f.do(t, request(http.MethodGet, "/v1/cases?"+query, "")); a.status != 422 && a.status != 400 {
			t.Errorf("%q: %d %s", query, a.status, a.body)
		}
	}
}
