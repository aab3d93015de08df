package store_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"paysaga/domain/ledger"
	"paysaga/domain/payment"
)

// The three Steps of a payment, alone and by 8 at once. PAYSAGA_TEST_DURABLE=1 makes the server write as in production:
//
//	PAYSAGA_TEST_DURABLE=1 go test ./store -run xxx -bench Commit -benchtime 500x
func BenchmarkCommit(b *testing.B) {
	steps := map[string]func(h *shop, i int) ledger.Step{
		"receive": func(h *shop, i int) ledger.Step {
			return h.receive(fmt.Sprint("k", i), fmt.Sprint("o", i), cny(1234))
		},
		"open": func(h *shop, i int) ledger.Step {
			return h.open(h.pay(fmt.Sprint("o", i), cny(1234)), 1)
		},
		"capture": func(h *shop, i int) ledger.Step {
			p := h.pay(fmt.Sprint("o", i), cny(1234))
			h.commit(h.open(p, 1))
			return h.settle(p, 1, h.succeeded(p))
		},
	}
	for _, name := range []string{"receive", "open", "capture"} {
		for _, clients := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/clients=%d", name, clients), func(b *testing.B) {
				h := newShop(b, payment.Terms{FeeBasisPoints: 100})
				list := make([]ledger.Step, b.N)
				for i := range list {
					list[i] = steps[name](h, i)
				}
				b.ResetTimer()
				var next atomic.Int64
				together(clients, func(int) {
					for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
						if _, err := h.s.Commit(context.Background(), list[i]); err != nil {
							b.Error(err)
							return
						}
					}
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "steps/s")
			})
		}
	}
}

// BenchmarkDossier reads what each step of a saga reads.
func BenchmarkDossier(b *testing.B) {
	h := newShop(b)
	p := h.paid("A-1", cny(100))
	for b.Loop() {
		if _, err := h.s.Dossier(context.Background(), h.Book, p); err != nil {
			b.Fatal(err)
		}
	}
}
