package api_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"paysaga/domain/fault"
	"paysaga/domain/id"
)

func (f *front) callback(t testing.TB, channel, account, body string, edit ...func(*http.Request)) answer {
	t.Helper()
	r := request(http.MethodPost, "/v1/callbacks/"+channel+"/"+account+"?a=b&a=c", body, without("Authorization"), without("Idempotency-Key"), with("Content-Type", "text/xml"))
	for _, e := range edit {
		e(r)
	}
	return f.do(t, r)
}

func TestCallbackIsStoredOnceAndAnswered(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	good := with("X-Signature", "good")
	for range 3 {
		if a := f.callback(t, "sandbox", f.account, "<paid/>", good, with("X-Event", "e-1")); a.status != http.StatusOK || a.json(t)["received"] != true {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	for _, body := range []string{"one", "two", "one"} { // without an event id, the body names it
		if a := f.callback(t, "sandbox", f.account, body, good); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if len(f.store.callbacks) != 3 || f.pokes() != 3 {
		t.Errorf("%d stored, %d pokes", len(f.store.callbacks), f.pokes())
	}
	r := f.store.callbacks[f.account+"|e-1"]
	if string(r.Body) != "<paid/>" || r.Book != id.Test || r.Channel != "sandbox" || !id.Is(id.Callback, r.ID) || r.Reference == "" || r.ReceivedAt.IsZero() || r.Outcome.AmountMinor != 1234 {
		t.Errorf("%+v", r)
	}
}

func TestCallbackIsRefused(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	good := with("X-Signature", "good")
	for _, r := range []struct {
		name, channel, account, body string
		edit                         func(*http.Request)
		status                       int
		code                         string
	}{
		{"forged", "sandbox", f.account, "x", with("X-Signature", "forged"), 403, "signature_invalid"},
		{"unsigned", "sandbox", f.account, "x", without("X-Signature"), 403, "signature_invalid"},
		{"unreadable", "sandbox", f.account, "", good, 422, "callback_unreadable"},
		{"an unknown channel", "nowhere", f.account, "x", good, 404, "not_found"},
		{"another channel's account", "cards", f.account, "x", good, 404, "not_found"},
		{"an unknown account", "sandbox", mint(id.ChannelAccount), "x", good, 404, "not_found"},
		{"no account's id", "sandbox", "1", "x", good, 404, "not_found"},
		{"too large", "sandbox", f.account, strings.Repeat("x", 64<<10+1), good, 413, "body_too_large"},
	} {
		a := f.callback(t, r.channel, r.account, r.body, r.edit)
		checkProblem(t, refusal{name: r.name, status: r.status, code: r.code}, a)
	}
	if f.store.rows() != 0 || f.pokes() != 0 {
		t.Errorf("%d rows, %d pokes", f.store.rows(), f.pokes())
	}
	if a := f.callback(t, "sandbox", f.account, strings.Repeat("x", 64<<10), good); a.status != http.StatusOK {
		t.Errorf("64 KiB: %d", a.status)
	}
}

// TestCallbackIsNotAnsweredBeforeItIsStored: the channel must send it again.
func TestCallbackIsNotAnsweredBeforeItIsStored(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	f.store.broken("ReceiveCallback", fault.Unavailable("store_unavailable", "x", nil))
	if a := f.callback(t, "sandbox", f.account, "x", with("X-Signature", "good")); a.status != http.StatusServiceUnavailable || f.pokes() != 0 {
		t.Errorf("%d %s", a.status, a.body)
	}
	cut := func(r *http.Request) { r.Body = io.NopCloser(io.MultiReader(strings.NewReader("x"), brokenReader{})) }
	if a := f.callback(t, "sandbox", f.account, "x", with("X-Signature", "good"), cut); a.status != http.StatusBadRequest || a.text(t, "code") != "body_unreadable" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
