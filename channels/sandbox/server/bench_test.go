package server_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"paysaga/channels"
	"paysaga/channels/sandbox"
	"paysaga/channels/sandbox/server"
	"paysaga/channels/wire"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// BenchmarkCharge is a whole charge: adapter, HTTP over the loopback, book on disk. Client and server share the cores.
func BenchmarkCharge(b *testing.B) {
	s, err := server.New(server.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	h := httptest.NewServer(s.Handler())
	defer h.Close()
	ch := sandbox.New(wire.New(wire.Config{}))
	account := channels.Account{BaseURL: h.URL, Credentials: map[string]string{sandbox.Secret: "bench"}}
	var n atomic.Uint64
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			key := id.Key(id.New(id.Payment, n.Add(1), [10]byte{}), id.Step{Code: id.Charge, Ordinal: 1})
			k, err := channels.NewKey(key, strings.Repeat("0", 64), s.Now())
			if err != nil {
				b.Fatal(err)
			}
			out, err := ch.Charge(b.Context(), channels.Call{Account: account, Key: k}, channels.ChargeRequest{AmountMinor: 1234,
				Currency: "CNY", Method: payment.Method{Type: payment.MethodCardToken, Token: "tok_ok"}, Capture: true})
			if err != nil || out.Verdict != payment.Succeeded {
				b.Fatal(fmt.Sprint(out, err))
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "charges/s")
}
