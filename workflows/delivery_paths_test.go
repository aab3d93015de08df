package workflows_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"paysaga/domain/delivery"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// telling is one way through the saga of a delivery: the endpoint's answers, what an operator or the merchant does meanwhile, and how
// the delivery of payment.succeeded ends.
type telling struct {
	name   string
	waits  []time.Duration // of the endpoint's schedule
	answer func(n int, w http.ResponseWriter, r *http.Request)
	// during runs once the first try of the delivery has been made.
	during func(*testing.T, *hooked)
	state  delivery.State
	tries  int
}

// hooked is a merchant with one endpoint that hears payment.succeeded, and the delivery of one such event.
type hooked struct {
	*stage.Merchant
	hook     *stage.Hook
	endpoint delivery.Endpoint
	secret   delivery.Secret
	ref      delivery.Ref
}

func status(code int) func(int, http.ResponseWriter, *http.Request) {
	return func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// until answers with a status until the nth message, and then 204.
func until(n, code int) func(int, http.ResponseWriter, *http.Request) {
	return func(i int, w http.ResponseWriter, _ *http.Request) {
		if i < n {
			w.WriteHeader(code)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

var (
	seconds = []time.Duration{time.Second, time.Second}
	hours   = []time.Duration{time.Hour, time.Hour}
)

var tellings = []telling{
	{name: "failed_then_told", waits: seconds, answer: until(2, 500), state: delivery.StateDelivered, tries: 2},
	{name: "failed_twice_then_told", waits: seconds, answer: func(n int, w http.ResponseWriter, r *http.Request) {
		if n < 3 { // where it leads is the same receiver: a redirect that was followed would be one arrival more
			w.Header().Set("Location", r.URL.Path+"/moved")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}
	}, state: delivery.StateDelivered, tries: 3},
	{name: "gone", waits: seconds, answer: func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusGone)
	}, during: func(t *testing.T, h *hooked) {
		stage.Eventually(t, "the endpoint is disabled", func() bool { return h.read(t).Status == delivery.Disabled })
	}, state: delivery.StateGone, tries: 2},
	{name: "exhausted", waits: seconds[:1], answer: status(500), state: delivery.StateFailed, tries: 2},
	{name: "retry_after_obeyed", waits: seconds, answer: func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			w.Header().Set("Retry-After", "3")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}, state: delivery.StateDelivered, tries: 2, during: func(t *testing.T, h *hooked) {
		stage.Eventually(t, "it is told again", func() bool { got, _ := h.hook.Got(); return len(got) == 2 })
		if got, _ := h.hook.Got(); got[1].At.Sub(got[0].At) < 2900*time.Millisecond {
			t.Errorf("told again after %s", got[1].At.Sub(got[0].At))
		}
	}},
	{name: "told_now_by_an_operator", waits: hours, answer: until(2, 500), state: delivery.StateDelivered, tries: 2,
		during: func(t *testing.T, h *hooked) {
			h.nudge(t)
		}},
	{name: "held_while_paused", waits: seconds, answer: until(2, 500), state: delivery.StateHeld, tries: 1,
		during: func(t *testing.T, h *hooked) {
			h.set(t, delivery.Paused)
		}},
	{name: "endpoint_disabled_meanwhile", waits: seconds, answer: status(500), state: delivery.StateGone, tries: 1,
		during: func(t *testing.T, h *hooked) {
			h.set(t, delivery.Disabled)
		}},
}

func (h *hooked) read(t *testing.T) delivery.Endpoint {
	t.Helper()
	e, err := h.Stage.Store.Endpoint(context.Background(), h.endpoint.Book, h.ID, h.endpoint.ID)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (h *hooked) set(t *testing.T, s delivery.EndpointStatus) {
	t.Helper()
	_, err := h.Stage.Store.ChangeEndpoint(context.Background(), h.endpoint.Ref(), ledger.Service("test"), func(e *delivery.Endpoint) error {
		e.Status = s
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// nudge sends the operator's Update once there is a saga.
func (h *hooked) nudge(t *testing.T) {
	t.Helper()
	stage.Eventually(t, "the delivery's saga takes the nudge", func() bool {
		return h.Stage.UpdateWorkflow(workflows.DeliveryID(h.ref), workflows.UpdateRetry) == nil
	})
}

// row reads the delivery with its log.
func (h *hooked) row(t *testing.T) (delivery.Row, []delivery.Try) {
	t.Helper()
	d, tries, err := h.Stage.Store.Delivery(context.Background(), h.ID, h.ref)
	if err != nil {
		t.Fatal(err)
	}
	return d, tries
}

func (h *hooked) untilState(t *testing.T, s delivery.State) {
	t.Helper()
	stage.Eventually(t, "the delivery is "+string(s), func() bool { d, _ := h.row(t); return d.State == s })
}

// newHooked makes a merchant with an endpoint, lets it be paid, and finds the delivery of payment.succeeded.
func newHooked(t *testing.T, s *stage.Stage, name string, waits []time.Duration, answer func(int, http.ResponseWriter, *http.Request)) *hooked {
	t.Helper()
	h := &hooked{Merchant: s.Merchant(t, payment.Terms{})}
	h.hook, h.endpoint, h.secret = h.Hook(t, name, answer, func(e *delivery.Endpoint) {
		e.Events = []string{"payment.succeeded"}
		e.Schedule = delivery.Schedule{Name: "custom"}
		for _, w := range waits {
			e.Schedule.Waits = append(e.Schedule.Waits, delivery.Wait(w))
		}
	})
	h.Pay(t, stage.Card("tok_ok"), nil)
	stage.Eventually(t, "the event was told once", func() bool { got, _ := h.hook.Got(); return len(got) > 0 })
	got, _ := h.hook.Got()
	h.ref = delivery.Ref{Book: h.endpoint.Book, EventID: got[0].ID, EndpointID: h.endpoint.ID}
	stage.Eventually(t, "the first try is written down", func() bool {
		_, _, err := s.Store.Delivery(context.Background(), h.ID, h.ref)
		return err == nil
	})
	return h
}

// Each way runs on real parts: PostgreSQL, Temporal, an endpoint over HTTP that verifies with the independent library.
func TestDeliveriesOnRealParts(t *testing.T) {
	t.Parallel()
	s := stage.New(t, stage.Options{})
	t.Run("sagas", func(t *testing.T) {
		for _, x := range tellings {
			t.Run(x.name, func(t *testing.T) {
				t.Parallel()
				h := newHooked(t, s, x.name, x.waits, x.answer)
				if x.during != nil {
					x.during(t, h)
				}
				h.untilState(t, x.state)
				id := workflows.DeliveryID(h.ref)
				var result workflows.DeliveryResult
				if err := s.Client.GetWorkflow(context.Background(), id, "").Get(context.Background(), &result); err != nil {
					t.Fatal(err)
				}
				d, tries := h.row(t)
				got, forged := h.hook.Got()
				if result.State != x.state || d.Tries != x.tries || len(tries) != x.tries || len(got) != x.tries || forged != 0 {
					t.Errorf("the saga ended %+v; the row %+v; %d lines in the log; %d arrived, %d of them forged", result, d, len(tries), len(got), forged)
				}
				for _, m := range got {
					if m.Body != got[0].Body || m.Header.Get("webhook-id") != got[0].ID {
						t.Error("a try sent other bytes, or under another id")
					}
				}
				if *record {
					write(t, filepath.Join(histories, "delivery", x.name+".json"), historyOfWorkflow(t, s, id))
				}
			})
		}
		for what, holds := range deliveryBehaviours {
			t.Run(what, func(t *testing.T) {
				t.Parallel()
				holds(t, s)
			})
		}
	})
	s.Audit(t)
}

// deliveryBehaviours are what holds besides how one saga goes.
var deliveryBehaviours = map[string]func(*testing.T, *stage.Stage){
	"first tries come in sequence":                  firstTriesInSequence,
	"a slow endpoint delays nobody":                 aSlowEndpointDelaysNobody,
	"what failed is told again by id":               toldAgainByID,
	"what was held is told when it is enabled":      heldIsReleased,
	"both secrets sign while one follows the other": bothSecretsSign,
}

func firstTriesInSequence(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	hook, _, _ := m.Hook(t, "sequence", nil)
	ids := make([]string, 10)
	for i := range ids {
		ids[i] = m.Pay(t, stage.Card("tok_ok"), nil).ID
	}
	for _, id := range ids {
		stage.Eventually(t, "both events of "+id+" came", func() bool { return len(hook.Of(id)) >= 2 })
		for i, told := range hook.Of(id) {
			if told.Object.Sequence != int64(i+1) {
				t.Errorf("%s: message %d has the sequence %d", id, i, told.Object.Sequence)
			}
		}
	}
	if _, forged := hook.Got(); forged != 0 {
		t.Errorf("%d messages that nobody verifies", forged)
	}
}

func aSlowEndpointDelaysNobody(t *testing.T, s *stage.Stage) {
	slow, quick := s.Merchant(t, payment.Terms{}), s.Merchant(t, payment.Terms{})
	release := make(chan struct{})
	held, _, _ := slow.Hook(t, "slow", func(_ int, _ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	hook, _, _ := quick.Hook(t, "quick", nil)
	for range 30 { // more than may be under way there
		slow.Pay(t, stage.Card("tok_ok"), nil)
	}
	stage.Eventually(t, "the slow endpoint is full", func() bool { got, _ := held.Got(); return len(got) >= 16 })
	id := quick.Pay(t, stage.Card("tok_ok"), nil).ID
	began := time.Now()
	stage.Eventually(t, "the quick one hears", func() bool { return len(hook.Of(id)) == 2 })
	if waited := time.Since(began); waited > 2500*time.Millisecond { // less than one try at the slow one
		t.Errorf("it heard after %s", waited)
	}
	held.Answer(nil)
}

func toldAgainByID(t *testing.T, s *stage.Stage) {
	h := newHooked(t, s, "again", seconds[:1], until(3, 500))
	h.untilState(t, delivery.StateFailed)
	if _, err := s.Store.Redeliver(context.Background(), h.ID, h.ref); err != nil {
		t.Fatal(err)
	}
	h.untilState(t, delivery.StateDelivered)
	// And once more, although it was heard.
	if _, err := s.Store.Redeliver(context.Background(), h.ID, h.ref); err != nil {
		t.Fatal(err)
	}
	stage.Eventually(t, "it came a fourth time", func() bool { got, _ := h.hook.Got(); return len(got) == 4 })
	h.untilState(t, delivery.StateDelivered)
	told := 0
	story, err := s.Store.Timeline(context.Background(), h.endpoint.Book, h.ID, got0(h).Object.ID)
	for _, line := range story {
		if line.Kind == "delivery" && line.Data["endpoint"] == h.endpoint.ID && line.Data["status"] == "delivered" {
			told++
		}
	}
	if err != nil || told != 1 {
		t.Errorf("the payment's timeline tells of %d deliveries: %v %v", told, story, err)
	}
	if d, tries := h.row(t); d.Tries != 4 || len(tries) != 4 || tries[1].Result.Reason != "http_500" {
		t.Errorf("%+v %+v", d, tries)
	}
}

func got0(h *hooked) stage.Told {
	got, _ := h.hook.Got()
	return got[0]
}

func heldIsReleased(t *testing.T, s *stage.Stage) {
	h := newHooked(t, s, "released", seconds, nil)
	h.set(t, delivery.Paused)
	h.Pay(t, stage.Card("tok_ok"), nil)
	filter := delivery.RowFilter{Book: h.endpoint.Book, MerchantID: h.ID, State: delivery.StateHeld, Limit: 10}
	stage.Eventually(t, "the event is held", func() bool {
		list, _, err := s.Store.Deliveries(context.Background(), filter)
		return err == nil && len(list) == 1
	})
	if got, _ := h.hook.Got(); len(got) != 1 {
		t.Errorf("%d messages to a paused endpoint", len(got)-1)
	}
	h.set(t, delivery.Enabled)
	stage.Eventually(t, "it was told", func() bool { got, _ := h.hook.Got(); return len(got) == 2 })
}

func bothSecretsSign(t *testing.T, s *stage.Stage) {
	h := newHooked(t, s, "rotated", nil, nil)
	fresh, err := s.Webhooks.NewSecret()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Store.RotateSecret(context.Background(), h.endpoint.Ref(), fresh, time.Hour); err != nil {
		t.Fatal(err)
	}
	for i, secret := range []delivery.Secret{h.secret, fresh} { // a receiver that knows either one verifies
		h.hook.Knows(secret.Reveal())
		h.Pay(t, stage.Card("tok_ok"), nil)
		stage.Eventually(t, fmt.Sprintf("message %d came", i+2), func() bool { got, _ := h.hook.Got(); return len(got) == i+2 })
	}
	if _, forged := h.hook.Got(); forged != 0 {
		t.Errorf("%d messages that nobody verifies", forged)
	}
}
