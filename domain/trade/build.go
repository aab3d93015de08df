package trade

import (
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"paysaga/domain/fault"
	"paysaga/domain/money"
)

// New checks a draft's content and returns it as an open order with its total: Σ lines + Σ adjustments. Without lines the
// total is payment, the amount of the payment that brings the order (empty if none does). Sums, status and sequence
// of the draft are not read. Errors are Invalid and name the field from the order down, "lines[2].unit_price"; a caller
// whose order stands within something puts its path in front with fault.Under.
func New(draft Order, payment money.Amount) (Order, error) {
	if err := checkHead(draft); err != nil {
		return Order{}, err
	}
	o := draft
	// The draft may share its slices with the request; missing amounts are filled in below.
	o.Lines, o.Adjustments = slices.Clone(draft.Lines), slices.Clone(draft.Adjustments)
	total, err := o.computeTotal(payment)
	if err != nil {
		return Order{}, err
	}
	zero := money.Zero(o.Currency)
	o.Sums = Sums{Total: total, Authorized: zero, Paid: zero, Refunded: zero, Disputed: zero}
	o.Status, o.Sequence = Open, 1
	return o, nil
}

func checkHead(o Order) error {
	if _, err := money.ParseCurrency(string(o.Currency)); err != nil {
		return fault.Under("currency", err)
	}
	if !visibleASCII(o.Reference, MaxReference) {
		return fault.Invalid("order_reference_invalid", "reference",
			fmt.Sprintf("a reference is 1 to %d visible ASCII characters", MaxReference))
	}
	if !slices.Contains(Types(), o.Type) {
		return fault.Invalid("order_type_unknown", "type", fmt.Sprintf("an order's type is one of %v", Types()))
	}
	if len(o.Lines) > MaxLines {
		return fault.Invalid("too_many_lines", "lines", fmt.Sprintf("an order has at most %d lines", MaxLines))
	}
	if len(o.Adjustments) > MaxAdjustments {
		return fault.Invalid("too_many_adjustments", "adjustments", fmt.Sprintf("an order has at most %d adjustments", MaxAdjustments))
	}
	return nil
}

func (o *Order) computeTotal(payment money.Amount) (money.Amount, error) {
	if len(o.Lines) == 0 {
		return o.totalWithoutLines(payment)
	}
	total := money.Zero(o.Currency)
	for i := range o.Lines {
		path := fmt.Sprintf("lines[%d]", i)
		line, err := o.Lines[i].total(o.Currency)
		if err == nil {
			total, err = total.Add(line)
		}
		if err != nil {
			return money.Amount{}, fault.Under(path, err)
		}
	}
	for i := range o.Adjustments {
		path := fmt.Sprintf("adjustments[%d]", i)
		signed, err := o.Adjustments[i].signed(o.Currency)
		if err == nil {
			total, err = total.Add(signed)
		}
		if err != nil {
			return money.Amount{}, fault.Under(path, err)
		}
	}
	if total.Sign() <= 0 {
		return money.Amount{}, fault.Invalid("order_total_invalid", "", "an order's total is more than zero")
	}
	return total, nil
}

func (o *Order) totalWithoutLines(payment money.Amount) (money.Amount, error) {
	if len(o.Adjustments) > 0 {
		return money.Amount{}, fault.Invalid("adjustments_without_lines", "adjustments", "an order without lines has no adjustments")
	}
	if payment.Sign() <= 0 {
		return money.Amount{}, fault.Invalid("order_lines_required", "lines", "an order needs lines, or a payment with an amount")
	}
	if payment.Currency != o.Currency {
		return money.Amount{}, fault.Invalid("currency_mismatch", "currency", "order and payment have one currency")
	}
	return payment, nil
}

// total checks a line, fills in the amounts it leaves out, and computes it.
func (l *Line) total(cur money.Currency) (money.Amount, error) {
	if !shortText(l.SKU, MaxSKU) || l.SKU == "" {
		return money.Amount{}, fault.Invalid("sku_invalid", "sku", fmt.Sprintf("a SKU is 1 to %d characters, none of them a control character", MaxSKU))
	}
	if !shortText(l.Description, MaxDescription) {
		return money.Amount{}, fault.Invalid("description_invalid", "description",
			fmt.Sprintf("a description is at most %d characters, none of them a control character", MaxDescription))
	}
	if !shortText(l.Category, MaxCategory) {
		return money.Amount{}, fault.Invalid("category_invalid", "category",
			fmt.Sprintf("a category is at most %d characters, none of them a control character", MaxCategory))
	}
	if l.Quantity < 1 || l.Quantity > MaxQuantity {
		return money.Amount{}, fault.Invalid("quantity_invalid", "quantity", fmt.Sprintf("a quantity is a whole number from 1 to %d", MaxQuantity))
	}
	for _, field := range []struct {
		name   string
		amount *money.Amount
	}{{"unit_price", &l.UnitPrice}, {"discount", &l.Discount}, {"tax", &l.Tax}} {
		if err := settle(field.amount, cur); err != nil {
			return money.Amount{}, fault.Under(field.name, err)
		}
	}
	gross, err := l.UnitPrice.Mul(l.Quantity)
	if err != nil {
		return money.Amount{}, fault.Under("unit_price", err)
	}
	net, err := gross.Sub(l.Discount)
	if err != nil {
		return money.Amount{}, fault.Under("discount", err)
	}
	total, err := net.Add(l.Tax)
	if err != nil {
		return money.Amount{}, fault.Under("tax", err)
	}
	if total.Sign() < 0 {
		return money.Amount{}, fault.Invalid("line_total_negative", "discount", "a line's total is zero or more")
	}
	return total, nil
}

func (a *Adjustment) signed(cur money.Currency) (money.Amount, error) {
	if !slices.Contains(AdjustmentTypes(), a.Type) {
		return money.Amount{}, fault.Invalid("adjustment_type_unknown", "type", fmt.Sprintf("an adjustment's type is one of %v", AdjustmentTypes()))
	}
	if err := settle(&a.Amount, cur); err != nil {
		return money.Amount{}, fault.Under("amount", err)
	}
	if a.Type == Discount {
		return a.Amount.Neg()
	}
	return a.Amount, nil
}

// settle gives an amount that was left out its currency, so that equal orders compare equal, and refuses the rest.
func settle(a *money.Amount, cur money.Currency) error {
	if *a == (money.Amount{}) {
		*a = money.Zero(cur)
	}
	if a.Currency != cur {
		return fault.Invalid("currency_mismatch", "", "an order has one currency")
	}
	if a.Sign() < 0 {
		return fault.Invalid("amount_invalid", "", "the amount must not be negative")
	}
	return nil
}

func visibleASCII(s string, most int) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= most
}

// shortText counts characters, not bytes: a Chinese SKU may be as long as an English one.
func shortText(s string, most int) bool {
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > most {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}
