package trade

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/fault"
	"paysaga/domain/money"
)

// placed is an open order over this many minor units.
func placed(t require.TestingT, total int64) Order {
	o, err := New(Order{Reference: "A", Type: Purchase, Currency: "CNY"}, cny(total))
	require.NoError(t, err)
	return o
}

func TestAdmit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		sums      Change
		amount    money.Amount
		partial   bool
		kind      fault.Kind
		code      string
		remaining string
	}{
		{name: "the whole", amount: cny(1000)},
		{name: "a part, allowed", amount: cny(1), partial: true},
		{name: "a part, not allowed", amount: cny(999), kind: fault.KindInvalid, code: "partial_not_allowed", remaining: "10.00"},
		{name: "too much", amount: cny(1001), kind: fault.KindInvalid, code: "amount_exceeds_order", remaining: "10.00"},
		{name: "too much, in parts", amount: cny(1001), partial: true, kind: fault.KindInvalid, code: "amount_exceeds_order", remaining: "10.00"},
		{name: "the rest", sums: Change{Paid: 400}, amount: cny(600)},
		{name: "more than the rest", sums: Change{Paid: 400}, amount: cny(601), kind: fault.KindInvalid, code: "amount_exceeds_order", remaining: "6.00"},
		{name: "authorized reserves", sums: Change{Authorized: 400}, amount: cny(601), kind: fault.KindInvalid, code: "amount_exceeds_order", remaining: "6.00"},
		{name: "all authorized", sums: Change{Authorized: 1000}, amount: cny(1), partial: true, kind: fault.KindInvalid, code: "amount_exceeds_order", remaining: "0.00"},
		{name: "beside an authorization", sums: Change{Authorized: 400}, amount: cny(600)},
		{name: "paid", sums: Change{Paid: 1000}, amount: cny(1000), kind: fault.KindConflict, code: "order_paid"},
		{name: "refunds don't open it again", sums: Change{Paid: 1000, Refunded: 1000}, amount: cny(1000), kind: fault.KindConflict, code: "order_paid"},
		{name: "paid twice", sums: Change{Paid: 2000}, amount: cny(1), partial: true, kind: fault.KindConflict, code: "order_paid"},
		{name: "nothing", amount: cny(0), partial: true, kind: fault.KindInvalid, code: "amount_invalid"},
		{name: "less than nothing", amount: cny(-1), partial: true, kind: fault.KindInvalid, code: "amount_invalid"},
		{name: "another currency", amount: money.New(1000, "USD"), kind: fault.KindInvalid, code: "currency_mismatch"},
	} {
		o := placed(t, 1000)
		o.Authorized, o.Paid, o.Refunded = cny(c.sums.Authorized), cny(c.sums.Paid), cny(c.sums.Refunded)
		o.Status = StatusOf(o.Sums)
		err := o.Admit(c.amount, c.partial)
		if c.kind == "" {
			require.NoError(t, err, c.name)
			continue
		}
		require.True(t, fault.Is(err, c.kind, c.code), "%s: %v", c.name, err)
		require.Equal(t, c.remaining, fault.As(err).Details["remaining"], c.name)
	}
	closed, err := placed(t, 1000).Close()
	require.NoError(t, err)
	require.True(t, fault.Is(closed.Admit(cny(1000), false), fault.KindConflict, "order_closed"))
}

func TestUnpaidNeverWraps(t *testing.T) {
	t.Parallel()
	o := placed(t, math.MaxInt64)
	require.Equal(t, cny(math.MaxInt64), o.Unpaid())
	o.Paid, o.Authorized = cny(math.MaxInt64), cny(math.MaxInt64)
	require.Equal(t, cny(0), o.Unpaid())
	o.Total = cny(1)
	require.Equal(t, cny(0), o.Unpaid())
}

func TestStatusOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		total, paid, refunded int64
		want                  Status
	}{
		{100, 0, 0, Open}, {100, 1, 0, PartiallyPaid}, {100, 99, 0, PartiallyPaid}, {100, 100, 0, Paid},
		{100, 100, 1, PartiallyRefunded}, {100, 100, 99, PartiallyRefunded}, {100, 100, 100, Refunded},
		{100, 40, 10, PartiallyRefunded}, {100, 40, 40, Refunded},
		{100, 200, 0, Paid}, {100, 200, 100, Paid}, {100, 200, 101, PartiallyRefunded}, {100, 200, 200, Refunded}, {100, 120, 20, Paid},
	} {
		got := StatusOf(Sums{Total: cny(c.total), Paid: cny(c.paid), Refunded: cny(c.refunded)})
		require.Equal(t, c.want, got, "%+v", c)
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	o := placed(t, 1000)
	held, err := o.Apply(Change{Authorized: 1000})
	require.NoError(t, err)
	require.Equal(t, Open, held.Status)
	_, err = held.Close()
	require.True(t, fault.Is(err, fault.KindConflict, "order_not_closable"))
	paid, err := held.Apply(Change{Authorized: -1000, Paid: 1000})
	require.NoError(t, err)
	require.Equal(t, Paid, paid.Status)
	require.EqualValues(t, 3, paid.Sequence)
	require.Equal(t, Open, o.Status, "Apply gives a new order")
	_, err = paid.Close()
	require.True(t, fault.Is(err, fault.KindConflict, "order_not_closable"))

	for _, c := range []Change{{Authorized: -1}, {Refunded: 1001}, {Refunded: -1}, {Paid: -1001}} {
		_, err := paid.Apply(c)
		require.True(t, fault.Is(err, fault.KindConflict, "order_sums_impossible"), "%+v", c)
	}
	_, err = paid.Apply(Change{Paid: math.MaxInt64})
	require.True(t, fault.Is(err, fault.KindInvalid, "amount_overflow"))
	_, err = paid.Apply(Change{Paid: -1000})
	require.True(t, fault.Is(err, fault.KindConflict, "order_state"), "what was captured stays captured")

	closed, err := o.Close()
	require.NoError(t, err)
	late, err := closed.Apply(Change{Paid: 1000})
	require.NoError(t, err, "a late success is booked, whatever we think of it")
	require.Equal(t, Closed, late.Status)
	require.Equal(t, cny(1000), late.Paid)
	_, err = closed.Close()
	require.Error(t, err)
}

func TestEdgeTable(t *testing.T) {
	t.Parallel()
	for _, from := range Statuses() {
		require.True(t, CanMove(from, from))
		require.NotContains(t, Edges(from), from)
		for _, to := range Edges(from) {
			require.Contains(t, Statuses(), to)
			require.NotEqual(t, Closed, from)
			require.NotEqual(t, Open, to, "money that came doesn't uncome")
		}
	}
	require.False(t, CanMove("", ""))
	require.False(t, CanMove(Open, Refunded))
}

// I-15, I-16: from every possible small order, every single change is an edge of the table and ends in the status of the
// new sums; and each edge of the table but closing is there because some change needs it.
func TestEveryChangeIsAnEdgeAndEveryEdgeAChange(t *testing.T) {
	t.Parallel()
	const total, most = 3, 7
	used := map[[2]Status]bool{}
	for paid := int64(0); paid <= most; paid++ {
		for refunded := int64(0); refunded <= paid; refunded++ {
			o := placed(t, total)
			o.Paid, o.Refunded = cny(paid), cny(refunded)
			o.Status = StatusOf(o.Sums)
			for n := int64(1); n <= most; n++ {
				for _, change := range []Change{{Authorized: n}, {Paid: n}, {Refunded: n}, {Refunded: -n}} {
					next, err := o.Apply(change)
					if err != nil {
						require.True(t, fault.Is(err, fault.KindConflict, "order_sums_impossible"), "%v", err)
						continue
					}
					require.Equal(t, StatusOf(next.Sums), next.Status)
					require.Equal(t, o.Sequence+1, next.Sequence)
					require.LessOrEqual(t, next.Refunded.Minor, next.Paid.Minor) // I-12
					used[[2]Status{o.Status, next.Status}] = true
				}
			}
		}
	}
	for _, from := range Statuses() {
		for _, to := range Edges(from) {
			require.True(t, to == Closed || used[[2]Status{from, to}], "no change needs %s → %s", from, to)
		}
	}
}

func TestAdmittedPaymentsNeverExceedTheTotal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := placed(t, rapid.Int64Range(1, 1000).Draw(t, "total"))
		for range rapid.IntRange(1, 20).Draw(t, "payments") {
			n := rapid.Int64Range(1, 1200).Draw(t, "n")
			if o.Admit(cny(n), rapid.Bool().Draw(t, "partial")) != nil {
				continue
			}
			change := rapid.SampledFrom([]Change{{Paid: n}, {Authorized: n}}).Draw(t, "change")
			var err error
			o, err = o.Apply(change)
			require.NoError(t, err)
			require.LessOrEqual(t, o.Paid.Minor+o.Authorized.Minor, o.Total.Minor)
		}
	})
}
