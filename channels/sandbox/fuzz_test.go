package sandbox_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/sandbox"
	"paysaga/channels/sandbox/server"
	"paysaga/channels/wire"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// Whatever a correctly signed body says, it is read strictly or refused by name.
func FuzzCallbackBody(f *testing.F) {
	f.Add([]byte(`{"event_id":"e","type":"charge.succeeded","reference":"p1","state":"succeeded","amount_minor":5,"currency":"CNY","channel_id":"sbx_1"}`))
	f.Add([]byte(`{"event_id":"e","type":"charge.declined","state":"declined","decline":null}`))
	f.Add([]byte(`{"event_id":"e","type":"charge.pending","state":"pending","action":{"type":"fax"}}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		a := account("")
		raw := channels.RawCallback{Body: body, Now: noon, Header: http.Header{
			sandbox.SignatureHeader: {server.Signature(a.Credentials[sandbox.SecretCallback], noon, body)}}}
		cb, err := sandbox.New(nil).ParseCallback(a, raw)
		if err != nil {
			require.Equal(t, fault.KindInvalid, fault.Of(err))
			return
		}
		require.NotEmpty(t, cb.EventID)
		if cb.Outcome.Verdict == payment.Succeeded || cb.Outcome.Verdict == payment.Authorized {
			require.Positive(t, cb.Outcome.AmountMinor)
			require.Len(t, cb.Outcome.Currency, 3)
		}
	})
}

// Whatever a server answers, a question ends in an outcome or a fault, and success never lacks its amount.
func FuzzAnswer(f *testing.F) {
	f.Add(200, `{"id":"sbx_1","reference":"REF","key":"KEY","state":"succeeded","amount_minor":1,"currency":"CNY"}`)
	f.Add(200, `{"id":"sbx_1","reference":"REF","key":"KEY","state":"succeeded","amount_minor":-1,"currency":"CNY"}`)
	f.Add(404, `{"error":{"code":"charge_not_found"}}`)
	f.Add(409, `{"error":{"code":"reference_closed"}}`)
	f.Add(404, `<html>`)
	f.Add(302, ``)
	key, err := channels.NewKey(id.Key(id.New(id.Payment, 1, [10]byte{}), id.Step{Code: id.Charge, Ordinal: 1}), "", noon)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		body = strings.NewReplacer("REF", key.Reference, "KEY", key.ID).Replace(body)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}))
		defer s.Close()
		client := wire.New(wire.Config{})
		defer client.CloseIdle()
		out, err := sandbox.New(client).Ask(t.Context(), channels.Call{Account: account(s.URL), Key: key, Now: noon}, channels.ChargeRequest{})
		switch {
		case err != nil:
			require.True(t, fault.Of(err).Valid())
		case out.Verdict == payment.Absent:
			require.Equal(t, http.StatusNotFound, status)
			require.Contains(t, body, "_not_found")
		case out.Verdict == payment.Succeeded:
			require.Positive(t, out.AmountMinor)
		}
	})
}

func TestAStatementThatIsCutAnywhereIsNotRead(t *testing.T) {
	t.Parallel()
	whole := server.StatementHeader + "\ncharge,sbx_1,p1,pay_1:ch1,,5,0,CNY,2026-11-20T12:00:00Z\nend,1\n"
	var text string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }))
	defer s.Close()
	client := wire.New(wire.Config{})
	defer client.CloseIdle()
	read := func() (string, error) {
		body, err := sandbox.New(client).Statement(t.Context(), account(s.URL), channels.StatementRequest{Day: noon})
		require.NoError(t, err)
		defer body.Close()
		raw, err := io.ReadAll(iotest.OneByteReader(body))
		return string(raw), err
	}
	for n := range whole {
		text = whole[:n]
		_, err := read()
		require.Equal(t, fault.KindUnknown, fault.Of(err), "%q", text)
	}
	text = whole
	got, err := read()
	require.NoError(t, err)
	assert.Equal(t, whole, got)
}
