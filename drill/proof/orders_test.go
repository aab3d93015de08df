package proof

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/channels/sandbox/server"
	"paysaga/domain/payment"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// Five callbacks of one payment, in each of their 120 orders, end the same: the
// same state, the same journals (I-21). Nothing else tells: the channel can't be
// asked until all five were heard, so what they say is all there is.
func anyOrder(t *testing.T, c *callbacks) {
	t.Run("processing", func(t *testing.T) { c.inAnyOrder(t, server.Pending, permutations(5)) })
	// With an authorization on the way, every tenth order.
	var some [][]int
	for i, order := range permutations(5) {
		if i%10 == 0 {
			some = append(some, order)
		}
	}
	t.Run("authorized", func(t *testing.T) { c.inAnyOrder(t, server.Authorized, some) })
}

// told is one of the callbacks.
type told struct {
	name string
	body []byte
}

func (c *callbacks) inAnyOrder(t *testing.T, second server.State, orders [][]int) {
	m := c.Merchant(t, payment.Terms{FeeBasisPoints: 60}, deaf)
	m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "ask", "fault": "500", "times": -1})
	ends := make([]string, len(orders))
	slots := make(chan struct{}, 24)
	var wg sync.WaitGroup
	for i, order := range orders {
		a := m.Pay(t, stage.QR, nil)
		require.Equal(t, payment.RequiresAction, a.Status, "%s", a.Raw)
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := c.tell(m, a.ID, second, order); err != nil {
				t.Errorf("%v: %v", order, err)
			}
			ends[i] = a.ID
		})
	}
	wg.Wait()
	m.Sandboxes[0].ClearScripts(t)
	first := ""
	for i, paymentID := range ends {
		m.UntilStatus(t, paymentID, payment.Paid)
		require.NoError(t, c.Client.GetWorkflow(context.Background(), workflows.PaymentID(paymentID), "").Get(context.Background(), nil))
		end := c.text(t, sqlEnd, paymentID, second == server.Pending)
		if i == 0 {
			first = end
		}
		if end != first {
			t.Errorf("the order %v ends as\n%s\nand %v as\n%s", orders[i], end, orders[0], first)
		}
	}
	if t.Failed() {
		return
	}
	t.Logf("%d orders ended as %s", len(orders), first)
}

// sqlEnd is all that a payment came to, without ids and clocks. An authorization
// on the way is an event more, and gives the capture another cause.
const sqlEnd = `
	SELECT jsonb_build_object('status', p.status, 'captured', p.captured, 'fee', p.fee, 'in_doubt', p.in_doubt, 'parked', p.parked,
		'sequence', CASE WHEN $2 THEN p.sequence END,
		'attempt', (SELECT jsonb_agg(jsonb_build_object('verdict', a.verdict, 'dead', a.dead, 'amount', a.amount)) FROM attempts a WHERE a.payment_id = p.id),
		'order', (SELECT jsonb_build_object('authorized', o.authorized, 'paid', o.paid, 'status', o.status) FROM orders o WHERE o.id = p.order_id),
		'journals', (SELECT jsonb_agg(jsonb_build_object('cause', CASE WHEN $2 THEN split_part(j.cause, ':', 2) END, 'kind', j.kind, 'legs', (
				SELECT jsonb_object_agg(a.code, e.amount) FROM entries e JOIN accounts a ON a.no = e.account WHERE e.journal = j.no)) ORDER BY j.no)
			FROM causes c JOIN journals j ON j.no = c.journal WHERE c.cause LIKE p.id || ':%'))::text
	FROM payments p WHERE p.id = $1`

// tell has the customer pay, and sends the five callbacks in an order, each
// after the one before was dealt with.
func (c *callbacks) tell(m *stage.Merchant, paymentID string, second server.State, order []int) error {
	sb := m.Sandboxes[0]
	if err := sb.Pay(paymentID); err != nil {
		return err
	}
	list, err := five(sb, paymentID, second)
	if err != nil {
		return err
	}
	for _, i := range order {
		header := http.Header{"Sandbox-Signature": {sign(time.Now(), list[i].body)}}
		if code, err := c.post(in(sb.Account), list[i].body, header); err != nil || code != http.StatusOK {
			return fmt.Errorf("%s was answered %d, %v", list[i].name, code, err)
		}
		if err := c.placed(paymentID); err != nil {
			return fmt.Errorf("%s: %w", list[i].name, err)
		}
	}
	return nil
}

// five are what a channel may say of a charge that was paid: that it waits, that
// it goes on, that it was paid, that again, and that it is closed, too late.
func five(sb *stage.Sandbox, paymentID string, second server.State) ([]told, error) {
	raw, _ := sb.Callback(paymentID)
	var paid server.Event
	if err := json.Unmarshal(raw, &paid); err != nil {
		return nil, err
	}
	say := func(name string, s server.State) told {
		e := paid
		if s != server.Succeeded {
			e.SucceededAt = time.Time{}
		}
		e.EventID, e.State, e.Type = paid.EventID+"_"+name, s, "charge."+string(s)
		body, _ := json.Marshal(e)
		return told{name, body}
	}
	return []told{say("waits", server.Pending), say("goes_on", second), say("paid", server.Succeeded), say("paid", server.Succeeded),
		say("closed", server.Closed)}, nil
}

// placed waits until no callback of the payment is left to be dealt with.
func (c *callbacks) placed(paymentID string) error {
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		var left int
		err := c.db.QueryRow(ctx, "SELECT count(*) FROM callbacks WHERE business_id = $1 AND disposition IS NULL", paymentID).Scan(&left)
		if err != nil || left == 0 {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// permutations are the orders of n things.
func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var list [][]int
	for _, p := range permutations(n - 1) {
		for at := range n {
			q := append(append(append([]int{}, p[:at]...), n-1), p[at:]...)
			list = append(list, q)
		}
	}
	return list
}
