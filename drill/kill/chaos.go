package kill

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"paysaga/channels/sandbox/server"
	"paysaga/drill/harness"
)

// Chaos is `make demo-chaos`: payments and their refunds run while both workers
// are killed again and again, and in the end the channel's book shows each once.
type Chaos struct {
	Payments          int
	Seed              uint64
	Dir               string // for logs, databases, the sandbox's book
	Paysaga, Devstack string // binaries
	Say, Show         func(string)
}

// ChaosResult is what came of it.
type ChaosResult struct {
	Payments, Paid, Refunds, Refunded, Kills int
	ChargedTwice, RefundedTwice, Lost        int
	Seconds                                  float64
}

// Agrees: what we believe is what the channel's book shows.
func (r ChaosResult) Agrees() bool { return r.ChargedTwice+r.RefundedTwice+r.Lost == 0 }

// Whole: everything finished, once.
func (r ChaosResult) Whole() bool {
	return r.Paid == r.Payments && r.Refunded == r.Refunds && r.Agrees()
}

// Table is the result for people.
func (r ChaosResult) Table() []string {
	row := func(what string, n, of int) string { return fmt.Sprintf("  %-44s %4d of %d", what, n, of) }
	late := r.Payments + r.Refunds - r.Paid - r.Refunded
	return []string{
		"", fmt.Sprintf("  %-44s %4d", "workers killed with kill -9", r.Kills),
		row("payments that succeeded", r.Paid, r.Payments),
		row("refunds that succeeded", r.Refunded, r.Refunds),
		fmt.Sprintf("  %-44s %4d", "still under way when the time was over", late),
		fmt.Sprintf("  %-44s %4d", "charged twice, in the channel's book", r.ChargedTwice),
		fmt.Sprintf("  %-44s %4d", "refunded twice, in the channel's book", r.RefundedTwice),
		fmt.Sprintf("  %-44s %4d", "succeeded here, and unknown to the channel", r.Lost),
		fmt.Sprintf("  %-44s %4.0f s", "it took", r.Seconds), "",
	}
}

// chaosTokens are the cards that pay: most answer, some never do.
var chaosTokens = []string{"tok_ok", "tok_ok", "tok_ok", "tok_timeout_after", "tok_timeout_before", "tok_garbage", "tok_500", "tok_pending"}

// chaosKills is how many kills there are; then what was hit last has time to come back.
const chaosKills = 12

// chaosFor bounds the whole: what isn't finished by then isn't.
const chaosFor = 110 * time.Second

// chaos is a demonstration on its way.
type chaos struct {
	Chaos
	set    *set
	http   *http.Client
	secret string // the merchant's key

	paid, refunded, kills atomic.Int64
	mu                    sync.Mutex
	given                 map[string]bool // payments that succeeded, and whether their refund has
}

// Run runs it on processes of its own.
func (c Chaos) Run(ctx context.Context) (ChaosResult, error) {
	c.Show("starting PostgreSQL, Temporal, the sandbox, two APIs and two workers")
	s, err := newSet(ctx, c.Dir, c.Paysaga, c.Devstack, func(name, said string) { c.Say(name + " ended by itself: " + said) })
	defer s.stop()
	if err != nil {
		return ChaosResult{}, err
	}
	merchants, err := s.merchants(ctx)
	if err != nil {
		return ChaosResult{}, err
	}
	d := &chaos{Chaos: c, set: s, http: &http.Client{Timeout: 10 * time.Second}, secret: merchants[1].Key, given: map[string]bool{}}
	began := time.Now()
	running, stop := context.WithTimeout(ctx, chaosFor)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- d.kill(running, stop) }()
	d.load(running)
	stop()
	if err := <-done; err != nil {
		return ChaosResult{}, err
	}
	result := d.judge()
	result.Seconds = time.Since(began).Seconds()
	return result, ctx.Err()
}

// load makes the payments, ten at a time, and gives half of each back.
func (d *chaos) load(ctx context.Context) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, 10)
	for i := range d.Payments {
		r := rand.New(rand.NewPCG(d.Seed, uint64(i)))
		slots <- struct{}{}
		wg.Go(func() {
			d.one(ctx, r, i)
			<-slots
		})
	}
	wg.Wait()
}

func (d *chaos) one(ctx context.Context, r *rand.Rand, n int) {
	body := map[string]any{"order": map[string]any{"reference": fmt.Sprintf("C-%d", n), "type": "purchase"}, "amount": "10.00",
		"currency": "CNY", "method": token(chaosTokens[r.IntN(len(chaosTokens))])}
	payment := d.post(ctx, "/v1/payments", fmt.Sprintf("pay-%d", n), body)
	if payment == "" || !d.until(ctx, "/v1/payments/"+payment) {
		return
	}
	d.paid.Add(1)
	d.show()
	refund := d.post(ctx, "/v1/payments/"+payment+"/refunds", fmt.Sprintf("refund-%d", n), map[string]any{"amount": "5.00"})
	given := refund != "" && d.until(ctx, "/v1/refunds/"+refund)
	if given {
		d.refunded.Add(1)
	}
	d.mu.Lock()
	d.given[payment] = given
	d.mu.Unlock()
	d.show()
}

func (d *chaos) show() {
	done := int(d.paid.Load() + d.refunded.Load())
	d.Show(fmt.Sprintf("%s %d payments and %d refunds of %d each have succeeded, workers killed %d times", harness.Bar(done, 2*d.Payments),
		d.paid.Load(), d.refunded.Load(), d.Payments, d.kills.Load()))
}

// kill kills one worker after the other until ctx ends.
func (d *chaos) kill(ctx context.Context, stop func()) error {
	list := d.set.killable[Worker]
	for i := 0; i < chaosKills && rest(ctx, 2500*time.Millisecond) == nil; i++ {
		p := list[i%len(list)]
		p.kill()
		d.kills.Add(1)
		d.show()
		if rest(ctx, 500*time.Millisecond) != nil {
			return nil
		}
		if err := p.start(ctx); err != nil && ctx.Err() == nil {
			stop()
			return err
		}
	}
	return nil
}

// post sends a request under its key until it is acknowledged, and returns the
// object's id; empty: the time was over.
func (d *chaos) post(ctx context.Context, path, key string, body map[string]any) string {
	raw, _ := json.Marshal(body) // strings
	for {
		if id, _, ok := d.send(ctx, http.MethodPost, path, key, raw); ok {
			return id
		}
		if rest(ctx, 200*time.Millisecond) != nil {
			return ""
		}
	}
}

// until reads an object until it has succeeded.
func (d *chaos) until(ctx context.Context, path string) bool {
	for {
		if _, status, ok := d.send(ctx, http.MethodGet, path, "", nil); ok && status == "succeeded" {
			return true
		}
		if rest(ctx, 300*time.Millisecond) != nil {
			return false
		}
	}
}

func (d *chaos) send(ctx context.Context, method, path, key string, body []byte) (id, status string, ok bool) {
	req, err := http.NewRequestWithContext(ctx, method, d.set.apis[rand.IntN(len(d.set.apis))]+path, bytes.NewReader(body))
	if err != nil {
		return "", "", false
	}
	req.Header.Set("Authorization", "Bearer "+d.secret)
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := d.http.Do(req)
	if err != nil {
		return "", "", false
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	var object struct{ ID, Status string }
	if err != nil || res.StatusCode >= 300 || json.Unmarshal(raw, &object) != nil {
		return "", "", false
	}
	return object.ID, object.Status, true
}

// judge holds what we believe against the channel's book.
func (d *chaos) judge() ChaosResult {
	r := ChaosResult{Payments: d.Payments, Refunds: d.Payments, Paid: int(d.paid.Load()), Refunded: int(d.refunded.Load()), Kills: int(d.kills.Load())}
	for payment, given := range d.given {
		var book server.Book
		raw, err := fetch(context.Background(), d.set.sandboxURL+"/admin/book?reference="+payment)
		if err != nil || json.Unmarshal(raw, &book) != nil {
			r.Lost++
			continue
		}
		charges, refunds := 0, 0
		for _, c := range book.Charges {
			if c.State == server.Succeeded {
				charges++
			}
		}
		for _, m := range book.Refunds {
			if m.State == server.Succeeded {
				refunds++
			}
		}
		switch {
		case charges > 1:
			r.ChargedTwice++
		case refunds > 1:
			r.RefundedTwice++
		case charges == 0, given && refunds == 0:
			r.Lost++
		}
	}
	return r
}
