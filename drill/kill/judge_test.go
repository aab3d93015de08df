package kill_test

import (
	"slices"
	"strings"
	"testing"

	"paysaga/channels/sandbox/server"
	"paysaga/domain/payment"
	"paysaga/drill/kill"
)

// facts are those of a clean round: one payment of each way it can end.
func facts() kill.Facts {
	var f kill.Facts
	add := func(id, scenario string, s payment.Status, charged server.State, took int64) {
		f.Orders = append(f.Orders, kill.Order{Key: "k-" + id, Scenario: scenario, Merchant: "mer_1", Reference: "A-" + id, AmountMinor: 500,
			ID: id, RepeatID: id, Status: s, Sequence: 3})
		row := kill.Row{ID: id, MerchantID: "mer_1", Reference: "A-" + id, Amount: 500, Status: s, Sequence: 3}
		if s == payment.Paid {
			row.Captured = took
		}
		f.Rows = append(f.Rows, row)
		f.Charges = append(f.Charges, server.Charge{Key: id + ":ch1", State: charged, AskedMinor: 500, AmountMinor: took, CapturedMinor: took, Currency: "CNY"})
	}
	add("pay_ok", "ok", payment.Paid, server.Succeeded, 500)
	add("pay_no", "stolen", payment.Failed, server.Declined, 0)
	add("pay_canceled", "qr_canceled", payment.Canceled, server.Closed, 0)
	add("pay_expired", "qr_expiring", payment.Expired, server.Expired, 0)
	add("pay_accepted", "wrong_amount_accepted", payment.Paid, server.Succeeded, 501)
	add("pay_rejected", "wrong_amount_rejected", payment.Failed, server.Succeeded, 501)
	add("pay_left", "wrong_amount_left", payment.Processing, server.Succeeded, 501)
	f.Rows[6].Parked = "amount_mismatch: …"
	f.Charges[5].RefundedMinor = 501
	f.Open = []string{"payment/pay_left", "case/pay_left/amount_mismatch/1"}
	f.Cases = []kill.Exception{{PaymentID: "pay_accepted", Kind: "amount_mismatch", Decision: "accept"},
		{PaymentID: "pay_rejected", Kind: "amount_mismatch", Decision: "return"}, {PaymentID: "pay_left", Kind: "amount_mismatch"}}
	return f
}

func TestJudgeFindsNothingOnACleanRound(t *testing.T) {
	t.Parallel()
	if found := kill.Judge(facts()); len(found) > 0 {
		t.Error(found)
	}
}

// A judge that can't fail proves nothing: each lie in the books is found, under
// its invariant and its payment.
func TestJudgeFindsWhatIsPlanted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		plant func(*kill.Facts)
		id    string
		of    string // the payment
	}{
		"never acknowledged":          {func(f *kill.Facts) { f.Orders[0].ID = "" }, "I-19", ""},
		"acknowledged and lost":       {func(f *kill.Facts) { f.Rows = f.Rows[1:] }, "I-19", "pay_ok"},
		"forgot a move":               {func(f *kill.Facts) { f.Orders[0].Sequence = 4 }, "I-19", "pay_ok"},
		"two ids for a key":           {func(f *kill.Facts) { f.Orders[0].RepeatID = "pay_no" }, "I-20", "pay_ok"},
		"two keys for a payment":      {func(f *kill.Facts) { f.Orders[1].ID, f.Orders[1].RepeatID = "pay_ok", "pay_ok" }, "I-20", "pay_ok"},
		"stored as another's":         {func(f *kill.Facts) { f.Rows[0].Reference = "A-2" }, "I-20", "pay_ok"},
		"an end that changed":         {func(f *kill.Facts) { f.Orders[0].Status = payment.Failed }, "I-15", "pay_ok"},
		"charged twice":               {func(f *kill.Facts) { f.Charges = append(f.Charges, f.Charges[0]) }, "I-09", "pay_ok"},
		"the sandbox counts two":      {func(f *kill.Facts) { f.Summary.PaidTwice = 1 }, "I-09", ""},
		"succeeded without money":     {func(f *kill.Facts) { f.Charges[0].State = server.Closed }, "I-10", "pay_ok"},
		"succeeded and never charged": {func(f *kill.Facts) { f.Charges = f.Charges[1:] }, "I-10", "pay_ok"},
		"another amount":              {func(f *kill.Facts) { f.Charges[0].CapturedMinor = 499 }, "I-10", "pay_ok"},
		"asked for another amount":    {func(f *kill.Facts) { f.Charges[0].AskedMinor = 499 }, "I-10", "pay_ok"},
		"failed with money":           {func(f *kill.Facts) { f.Charges[1].State, f.Charges[1].CapturedMinor = server.Succeeded, 500 }, "I-10", "pay_no"},
		"canceled, still authorized":  {func(f *kill.Facts) { f.Charges[2].State = server.Authorized }, "I-10", "pay_canceled"},
		"expired with money":          {func(f *kill.Facts) { f.Charges[3].State, f.Charges[3].CapturedMinor = server.Succeeded, 500 }, "I-10", "pay_expired"},
		"more, and nobody accepted":   {func(f *kill.Facts) { f.Cases[0].Decision = "" }, "I-10", "pay_accepted"},
		"rejected, and no case":       {func(f *kill.Facts) { f.Cases = slices.Delete(f.Cases, 1, 2) }, "I-10", "pay_rejected"},
		"charged for no payment":      {func(f *kill.Facts) { f.Charges[0].Key = "pay_other:ch1" }, "I-13", "pay_other"},
		"still in doubt":              {func(f *kill.Facts) { f.Rows[0].InDoubt = true }, "I-14", "pay_ok"},
		"another end than planned":    {func(f *kill.Facts) { f.Rows[2].Status = payment.Failed }, "outcome", "pay_canceled"},
		"stuck":                       {func(f *kill.Facts) { f.Rows[0].Status = payment.Processing }, "I-18", "pay_ok"},
		"parked without a reason":     {func(f *kill.Facts) { f.Rows[6].Parked = "" }, "I-18", "pay_left"},
		"parked without a saga":       {func(f *kill.Facts) { f.Open = nil }, "I-18", "pay_left"},
		"a saga that never ended":     {func(f *kill.Facts) { f.Open = append(f.Open, "payment/pay_ok") }, "I-18", "pay_ok"},
		"a saga for nothing":          {func(f *kill.Facts) { f.Open = append(f.Open, "payment/pay_x") }, "I-18", "pay_x"},
		"a saga that failed":          {func(f *kill.Facts) { f.Failed = []string{"payment/pay_ok"} }, "I-18", "payment/pay_ok"},
		"a case nobody planned": {func(f *kill.Facts) {
			f.Cases = append(f.Cases, kill.Exception{PaymentID: "pay_ok", Kind: "late_success"})
		}, "I-17", "pay_ok"},
		"a rejected one was kept": {func(f *kill.Facts) { f.Charges[5].RefundedMinor = 0 }, "I-10", "pay_rejected"},
		"a settled case's saga":   {func(f *kill.Facts) { f.Open = append(f.Open, "case/pay_rejected/amount_mismatch/1") }, "I-18", "pay_rejected"},
		"a refund that stayed":    {func(f *kill.Facts) { f.Waiting.Refunds = 1 }, "I-23", ""},
		"an event that stayed":    {func(f *kill.Facts) { f.Waiting.Events = 1 }, "I-23", ""},
		"a callback that stayed":  {func(f *kill.Facts) { f.Waiting.Callbacks = 1 }, "I-23", ""},
		"books that are broken":   {func(f *kill.Facts) { f.Broken = []string{"BROKEN I-01"} }, "audit", ""},
		"a process that gave up":  {func(f *kill.Facts) { f.Ended = []string{"worker-1 ended by itself"} }, "process", ""},
		"a client's complaint":    {func(f *kill.Facts) { f.Orders[0].Complaints = []string{"I-20: another id"} }, "I-20", "pay_ok"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := facts()
			c.plant(&f)
			found := kill.Judge(f)
			if !slices.ContainsFunc(found, func(v kill.Violation) bool { return v.ID == c.id && v.Payment == c.of }) {
				t.Errorf("nothing of %s %s in %v", c.id, c.of, found)
			}
			if text := kill.Judge(f)[0].String(); !strings.Contains(text, " ") {
				t.Errorf("a violation should say what it is: %q", text)
			}
		})
	}
}
