package fake

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// stamp is how a settlement report writes a time.
const stamp = "2006/01/02 15:04:05 -0700"

// Settlement is the settlement report of a day in UTC, as PayPal puts it on its SFTP server: one section with footers
// per currency, amounts as unsigned hundredths, a fee on each capture.
func (s *Server) Settlement(day time.Time) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := day.UTC().Truncate(24 * time.Hour)
	var list []*payment
	for _, o := range s.orders {
		for _, p := range append(slices.Clone(o.captures), o.refunds...) {
			if (p.kind == "refund" && p.status == "COMPLETED" || p.kind == "capture" && p.status != "DECLINED" && p.status != "PENDING") &&
				!p.created.Before(from) && p.created.Before(from.Add(24*time.Hour)) {
				list = append(list, p)
			}
		}
	}
	var b bytes.Buffer
	b.WriteString("\ufeff")
	fmt.Fprintf(&b, "\"RH\",%s,\"X\",\"FAKEMERCHANT2\",009,\n\"FH\",01\n", from.Add(30*time.Hour).Format(stamp))
	fmt.Fprintf(&b, "\"SH\",%s,%s,\"FAKEMERCHANT2\",\"\"\n", from.Format(stamp), from.Add(24*time.Hour-time.Second).Format(stamp))
	b.WriteString(`"CH","Transaction ID","Invoice ID","PayPal Reference ID","PayPal Reference ID Type","Transaction Event Code",` +
		`"Transaction Initiation Date","Transaction Completion Date","Transaction  Debit or Credit","Gross Transaction Amount",` +
		`"Gross Transaction Currency","Fee Debit or Credit","Fee Amount","Fee Currency","Custom Field","Consumer ID","Payment Tracking ID","Store ID"` + "\n")
	totals, currencies := map[string]*[5]int64{}, []string{}
	for _, p := range list {
		c := p.of.currency
		if totals[c] == nil {
			totals[c] = &[5]int64{}
			currencies = append(currencies, c)
		}
		t := totals[c]
		t[4]++
		amount, at := hundredths(p.minor, c), p.created.UTC().Format(stamp)
		if p.kind == "refund" {
			t[1] += amount
			fmt.Fprintf(&b, "\"SB\",%q,%q,%q,\"TXN\",\"T1107\",%s,%s,\"DR\",%d,%q,\"\",,\"\",%q,\"\",\"\",\"\"\n", p.id, p.invoice, p.from.id, at, at, amount, c, p.custom)
			continue
		}
		fee := Fee(amount)
		t[0] += amount
		t[3] += fee
		fmt.Fprintf(&b, "\"SB\",%q,%q,%q,\"ODR\",\"T0006\",%s,%s,\"CR\",%d,%q,\"DR\",%d,%q,%q,\"BUYER\",\"\",\"\"\n", p.id, p.invoice, p.of.id, at, at, amount, c, fee, c, p.custom)
	}
	for _, kind := range []string{"SF", "RF"} {
		for _, c := range currencies {
			t := totals[c]
			fmt.Fprintf(&b, "%q,%q,%d,%d,%d,%d,\"CR\",0,\"CR\",0,\"CR\",0,\"CR\",0,\"CR\",0,\"CR\",0,%d\n", kind, c, t[0], t[1], t[2], t[3], t[4])
		}
		fmt.Fprintf(&b, "%q,%d\n", kind[:1]+"C", len(list))
	}
	b.WriteString("\"FF\",01\n")
	return b.Bytes()
}

// Fee is what the fake takes of a capture, in hundredths: whole ones, so that it is an amount of any currency.
func Fee(amount int64) int64 { return (amount*3/100/100 + 1) * 100 }

// hundredths are a report's unit: two implied decimals in every currency.
func hundredths(minor int64, currency string) int64 {
	if currency == "JPY" {
		return minor * 100
	}
	return minor
}
