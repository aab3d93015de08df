package trade

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/fault"
	"paysaga/domain/money"
)

func cny(minor int64) money.Amount { return money.New(minor, "CNY") }

// tea is the order of the README: two teas at 5.00 and 2.34 for shipping are 12.34.
func tea() Order {
	return Order{ID: "ord_x", MerchantID: "mer_x", Book: "test", Reference: "A-1001", Type: Purchase, Currency: "CNY",
		Lines:       []Line{{SKU: "tea", Quantity: 2, UnitPrice: cny(500), Discount: cny(0), Tax: cny(0)}},
		Adjustments: []Adjustment{{Type: Shipping, Amount: cny(234)}}}
}

func TestTotals(t *testing.T) {
	t.Parallel()
	o, err := New(tea(), money.Amount{})
	require.NoError(t, err)
	require.Equal(t, cny(1234), o.Total)
	require.Equal(t, cny(0), o.Paid)
	require.Equal(t, Open, o.Status)
	require.EqualValues(t, 1, o.Sequence)

	for _, c := range []struct {
		name string
		edit func(*Order)
		want int64
	}{
		{"discount and tax of a line", func(o *Order) { o.Lines[0].Discount, o.Lines[0].Tax = cny(100), cny(60) }, 1194},
		{"a discount subtracts", func(o *Order) { o.Adjustments = append(o.Adjustments, Adjustment{Discount, cny(200)}) }, 1034},
		{"tax, fee and tip add", func(o *Order) { o.Adjustments = []Adjustment{{Tax, cny(1)}, {Fee, cny(2)}, {Tip, cny(3)}} }, 1006},
		{"a free line", func(o *Order) { o.Lines[0].Discount = cny(1000) }, 234},
		{"amounts left out are zero", func(o *Order) { o.Lines[0].Discount, o.Lines[0].Tax = money.Amount{}, money.Amount{} }, 1234},
	} {
		draft := tea()
		c.edit(&draft)
		o, err := New(draft, cny(1))
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, o.Total.Minor, c.name)
	}
}

func TestAnOrderWithoutLinesTakesThePaymentsAmount(t *testing.T) {
	t.Parallel()
	draft := tea()
	draft.Lines, draft.Adjustments = nil, nil
	o, err := New(draft, cny(777))
	require.NoError(t, err)
	require.Equal(t, cny(777), o.Total)

	for _, payment := range []money.Amount{{}, cny(0), cny(-1)} {
		_, err = New(draft, payment)
		require.True(t, fault.Is(err, fault.KindInvalid, "order_lines_required"))
	}
	_, err = New(draft, money.New(1, "USD"))
	require.True(t, fault.Is(err, fault.KindInvalid, "currency_mismatch"))
}

func TestNewNamesTheFieldAtFault(t *testing.T) {
	t.Parallel()
	line := func(edit func(*Line)) func(*Order) {
		return func(o *Order) {
			o.Lines = append(o.Lines, o.Lines[0], o.Lines[0])
			edit(&o.Lines[2])
		}
	}
	for _, c := range []struct {
		code, param string
		edit        func(*Order)
	}{
		{"currency_unsupported", "currency", func(o *Order) { o.Currency = "XXX" }},
		{"currency_unsupported", "currency", func(o *Order) { o.Currency = "" }},
		{"order_reference_invalid", "reference", func(o *Order) { o.Reference = "" }},
		{"order_reference_invalid", "reference", func(o *Order) { o.Reference = strings.Repeat("a", 65) }},
		{"order_reference_invalid", "reference", func(o *Order) { o.Reference = "A 1001" }},
		{"order_reference_invalid", "reference", func(o *Order) { o.Reference = "A\x00" }},
		{"order_reference_invalid", "reference", func(o *Order) { o.Reference = "É" }},
		{"order_type_unknown", "type", func(o *Order) { o.Type = "" }},
		{"order_type_unknown", "type", func(o *Order) { o.Type = "Purchase" }},
		{"too_many_lines", "lines", func(o *Order) { o.Lines = make([]Line, 101) }},
		{"too_many_adjustments", "adjustments", func(o *Order) { o.Adjustments = make([]Adjustment, 21) }},
		{"adjustments_without_lines", "adjustments", func(o *Order) { o.Lines = nil }},
		{"sku_invalid", "lines[2].sku", line(func(l *Line) { l.SKU = "" })},
		{"sku_invalid", "lines[2].sku", line(func(l *Line) { l.SKU = strings.Repeat("茶", 65) })},
		{"sku_invalid", "lines[2].sku", line(func(l *Line) { l.SKU = "a\nb" })},
		{"sku_invalid", "lines[2].sku", line(func(l *Line) { l.SKU = "\xff" })},
		{"description_invalid", "lines[2].description", line(func(l *Line) { l.Description = strings.Repeat("x", 256) })},
		{"quantity_invalid", "lines[2].quantity", line(func(l *Line) { l.Quantity = 0 })},
		{"quantity_invalid", "lines[2].quantity", line(func(l *Line) { l.Quantity = -1 })},
		{"quantity_invalid", "lines[2].quantity", line(func(l *Line) { l.Quantity = 1_000_001 })},
		{"amount_invalid", "lines[2].unit_price", line(func(l *Line) { l.UnitPrice = cny(-1) })},
		{"amount_invalid", "lines[2].discount", line(func(l *Line) { l.Discount = cny(-1) })},
		{"amount_invalid", "lines[2].tax", line(func(l *Line) { l.Tax = cny(-1) })},
		{"currency_mismatch", "lines[2].tax", line(func(l *Line) { l.Tax = money.New(0, "USD") })},
		{"amount_overflow", "lines[2].unit_price", line(func(l *Line) { l.UnitPrice = cny(math.MaxInt64) })},
		{"amount_overflow", "lines[2].tax", line(func(l *Line) { l.Tax = cny(math.MaxInt64) })},
		{"line_total_negative", "lines[2].discount", line(func(l *Line) { l.Discount = cny(1001) })},
		{"amount_overflow", "lines[2]", line(func(l *Line) { l.Quantity, l.UnitPrice = 1, cny(math.MaxInt64) })},
		{"adjustment_type_unknown", "adjustments[0].type", func(o *Order) { o.Adjustments[0].Type = "gift" }},
		{"amount_invalid", "adjustments[0].amount", func(o *Order) { o.Adjustments[0].Amount = cny(-1) }},
		{"currency_mismatch", "adjustments[0].amount", func(o *Order) { o.Adjustments[0].Amount = money.New(1, "JPY") }},
		{"amount_overflow", "adjustments[0]", func(o *Order) { o.Adjustments[0].Amount = cny(math.MaxInt64) }},
		{"order_total_invalid", "", func(o *Order) { o.Adjustments = []Adjustment{{Discount, cny(1000)}} }},
		{"order_total_invalid", "", func(o *Order) { o.Adjustments = []Adjustment{{Discount, cny(1001)}} }},
	} {
		draft := tea()
		c.edit(&draft)
		_, err := New(draft, money.Amount{})
		require.True(t, fault.Is(err, fault.KindInvalid, c.code), "%s: %v", c.code, err)
		require.Equal(t, c.param, fault.As(err).Param, c.code)
	}
}

func TestParamStandsUnderItsCaller(t *testing.T) {
	t.Parallel()
	draft := tea()
	draft.Lines[0].Quantity = 0
	_, err := New(draft, money.Amount{})
	require.Equal(t, "order.lines[0].quantity", fault.As(fault.Under("order", err)).Param)
}

func TestNewLeavesTheDraftAlone(t *testing.T) {
	t.Parallel()
	draft := tea()
	draft.Lines[0].Tax = money.Amount{}
	draft.Paid, draft.Status, draft.Sequence = cny(5), Paid, 9
	o, err := New(draft, money.Amount{})
	require.NoError(t, err)
	require.Equal(t, money.Amount{}, draft.Lines[0].Tax)
	require.Equal(t, cny(0), o.Lines[0].Tax)
	require.Equal(t, cny(0), o.Paid, "sums of a draft are not believed")
	require.Equal(t, Open, o.Status)
}

func TestSame(t *testing.T) {
	t.Parallel()
	a, err := New(tea(), money.Amount{})
	require.NoError(t, err)
	b, err := New(tea(), money.Amount{})
	require.NoError(t, err)
	b.ID, b.Status, b.Paid, b.Sequence = "ord_y", Paid, cny(1234), 7
	require.True(t, a.Same(b), "what happened to an order is not its content")
	for _, edit := range []func(*Order){
		func(o *Order) { o.Reference = "B" }, func(o *Order) { o.Type = Service }, func(o *Order) { o.Lines[0].SKU = "pot" },
		func(o *Order) { o.Lines[0].Quantity = 3 }, func(o *Order) { o.Adjustments = nil }, func(o *Order) { o.Total = cny(1) },
	} {
		c, err := New(tea(), money.Amount{})
		require.NoError(t, err)
		edit(&c)
		require.False(t, a.Same(c))
	}
}

// The total equals the sum in exact arithmetic, or the order is refused: it never wraps.
func TestTotalIsExactOrRefused(t *testing.T) {
	t.Parallel()
	price := rapid.OneOf(rapid.Int64Range(0, 10_000), rapid.Int64Range(0, math.MaxInt64))
	rapid.Check(t, func(t *rapid.T) {
		draft, want := tea(), new(big.Int)
		draft.Lines, draft.Adjustments = nil, nil
		for range rapid.IntRange(1, 5).Draw(t, "lines") {
			l := Line{SKU: "s", Quantity: rapid.Int64Range(1, MaxQuantity).Draw(t, "quantity"), UnitPrice: cny(price.Draw(t, "price")),
				Discount: cny(price.Draw(t, "discount")), Tax: cny(price.Draw(t, "tax"))}
			draft.Lines = append(draft.Lines, l)
			want.Add(want, new(big.Int).Mul(big.NewInt(l.Quantity), big.NewInt(l.UnitPrice.Minor)))
			want.Sub(want, big.NewInt(l.Discount.Minor)).Add(want, big.NewInt(l.Tax.Minor))
		}
		for range rapid.IntRange(0, 3).Draw(t, "adjustments") {
			a := Adjustment{rapid.SampledFrom(AdjustmentTypes()).Draw(t, "type"), cny(price.Draw(t, "amount"))}
			draft.Adjustments = append(draft.Adjustments, a)
			if a.Type == Discount {
				want.Sub(want, big.NewInt(a.Amount.Minor))
			} else {
				want.Add(want, big.NewInt(a.Amount.Minor))
			}
		}
		o, err := New(draft, money.Amount{})
		if err != nil {
			require.Equal(t, fault.KindInvalid, fault.Of(err))
			return
		}
		require.Equal(t, want.String(), big.NewInt(o.Total.Minor).String())
	})
}
