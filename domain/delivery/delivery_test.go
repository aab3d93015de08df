package delivery

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/fault"
	"paysaga/domain/trade"
)

func TestStatusesMeanOneThing(t *testing.T) {
	t.Parallel()
	for status := 100; status < 600; status++ {
		want := Retry
		switch {
		case status/100 == 2:
			want = Delivered
		case status == 410:
			want = Gone
		}
		assert.Equal(t, want, Of(status), status)
	}
	for _, o := range Outcomes() {
		assert.Equal(t, o == Delivered || o == Gone, o.Final(), o)
	}
}

func TestAnExcerptIsFitToBeShown(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "a  b c", Excerpt([]byte("\x1b\x00a\r\nb\tc\x7f\u202e\u2066\ufeff\xff\n")))
	assert.Equal(t, strings.Repeat("é", MaxExcerpt/2), Excerpt([]byte(strings.Repeat("é", MaxExcerpt))))
	rapid.Check(t, func(rt *rapid.T) {
		text := Excerpt(rapid.SliceOf(rapid.Byte()).Draw(rt, "body"))
		if len(text) > MaxExcerpt || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			rt.Fatalf("%q", text)
		}
	})
}

func event() trade.Event {
	return trade.Event{ID: "evt_01", Type: "payment.succeeded", APIVersion: "old", CreatedAt: time.Date(2026, 11, 21, 9, 30, 0, 123456789,
		time.FixedZone("CST", 8*3600)), Livemode: true, MerchantID: "mer_01", BusinessID: "biz_01",
		Object: trade.EventObject{Type: "payment", ID: "pay_01", Sequence: 3},
		Data:   json.RawMessage(`{"id": "pay_01", "amount": "100.00", "metadata": {"n": "<b>&</b> 订单"}}`)}
}

// The golden file is the contract: a change of its bytes is one that merchants see.
func TestABodyIsTheSameBytesEachTime(t *testing.T) {
	t.Parallel()
	golden, err := os.ReadFile("testdata/envelope.json")
	require.NoError(t, err)
	for range 3 {
		body, err := Body(event(), Versions()[0])
		require.NoError(t, err)
		assert.Equal(t, strings.TrimSuffix(string(golden), "\n"), string(body))
	}
	var back map[string]any
	require.NoError(t, json.Unmarshal(golden, &back))
	for _, name := range []string{"id", "type", "api_version", "created_at", "livemode", "merchant_id", "business_id", "object", "data"} {
		assert.Contains(t, back, name)
	}
	assert.Len(t, back, 9)
}

func TestABodyThatCannotBe(t *testing.T) {
	t.Parallel()
	_, err := Body(event(), "1999-01-01")
	assert.True(t, fault.Is(err, fault.KindInvalid, "api_version_unknown"), err)
	for name, change := range map[string]func(*trade.Event){
		"no id":       func(e *trade.Event) { e.ID = "" },
		"no sequence": func(e *trade.Event) { e.Object.Sequence = 0 },
		"no data":     func(e *trade.Event) { e.Data = nil },
		"no JSON":     func(e *trade.Event) { e.Data = json.RawMessage(`{"a"`) },
		"too large":   func(e *trade.Event) { e.Data = json.RawMessage(`"` + strings.Repeat("x", MaxBody) + `"`) },
	} {
		e := event()
		change(&e)
		_, err := Body(e, trade.APIVersion)
		assert.Equal(t, fault.KindInternal, fault.Of(err), name)
	}
}

func secret(t *testing.T, fill byte) Secret {
	t.Helper()
	s, err := SecretOf([]byte(strings.Repeat(string(rune(fill)), SecretBytes)))
	require.NoError(t, err)
	return s
}

func TestEverySecretSignsAlone(t *testing.T) {
	t.Parallel()
	old, now := secret(t, 'a'), secret(t, 'b')
	at := time.Now()
	d := Delivery{EventID: "evt_01", Body: []byte(`{"a":1}`), Secrets: []Secret{now, old}}
	stamp, err := d.Sign(at)
	require.NoError(t, err)
	h := http.Header{}
	h.Set("webhook-id", stamp.ID)
	h.Set("webhook-timestamp", stamp.Timestamp)
	h.Set("webhook-signature", stamp.Signature)
	assert.Len(t, strings.Split(stamp.Signature, " "), 2)
	for _, s := range d.Secrets {
		wh, err := standardwebhooks.NewWebhook(s.Reveal())
		require.NoError(t, err)
		require.NoError(t, wh.Verify(d.Body, h))
		require.Error(t, wh.Verify([]byte(`{"a":2}`), h))
		theirs, err := wh.Sign(d.EventID, at, d.Body)
		require.NoError(t, err)
		assert.Contains(t, stamp.Signature, theirs)
	}
	wh, err := standardwebhooks.NewWebhook(secret(t, 'c').Reveal())
	require.NoError(t, err)
	require.ErrorIs(t, wh.Verify(d.Body, h), standardwebhooks.ErrNoMatchingSignature)
}

func TestWhatIsNotSigned(t *testing.T) {
	t.Parallel()
	good := Delivery{EventID: "evt_01", Body: []byte("{}"), Secrets: []Secret{secret(t, 'a')}}
	for name, change := range map[string]func(*Delivery){
		"no id":            func(d *Delivery) { d.EventID = "" },
		"an id with a dot": func(d *Delivery) { d.EventID = "evt_01.1" },
		"an id with lines": func(d *Delivery) { d.EventID = "evt_01\r\nX: y" },
		"no body":          func(d *Delivery) { d.Body = nil },
		"no secret":        func(d *Delivery) { d.Secrets = nil },
		"an empty secret":  func(d *Delivery) { d.Secrets = []Secret{{}} },
		"many secrets":     func(d *Delivery) { d.Secrets = make([]Secret, MaxSecrets+1) },
	} {
		d := good
		change(&d)
		_, err := d.Sign(time.Unix(1, 0))
		assert.Equal(t, fault.KindInternal, fault.Of(err), name)
	}
}

func TestASecretKeepsItself(t *testing.T) {
	t.Parallel()
	s := secret(t, 'k')
	back, err := ParseSecret(s.Reveal())
	require.NoError(t, err)
	assert.Equal(t, s.Reveal(), back.Reveal())
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s", s, s, s, s), fmt.Sprintf("%+v", Delivery{Secrets: []Secret{s}})} {
		assert.NotContains(t, text, "kkk")
		assert.NotContains(t, text, "107 107")
		assert.NotContains(t, text, s.Reveal()[6:20])
	}
	_, err = json.Marshal(Delivery{Secrets: []Secret{s}})
	require.Error(t, err)
	for _, text := range []string{"", "whsec_", "whsec_!!", "whsec_aGVsbG8=", strings.TrimPrefix(s.Reveal(), "whsec_"), s.Reveal() + "\n",
		"whsec_" + strings.Repeat("QUFB", 22)} {
		_, err := ParseSecret(text)
		require.True(t, fault.Is(err, fault.KindInvalid, "secret_invalid"), text)
	}
}

func TestARotatedSecretSignsUntilItsEnd(t *testing.T) {
	t.Parallel()
	end := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	keys := []Key{{Secret: secret(t, 'n')}, {Secret: secret(t, 'o'), Until: end}}
	assert.Len(t, InForce(keys, end.Add(-time.Nanosecond)), 2)
	in := InForce(keys, end)
	require.Len(t, in, 1)
	assert.Equal(t, keys[0].Secret.Reveal(), in[0].Reveal())
}
