package bank

import "strings"

const inTx = "/NtryDtls/TxDtls"

// inEntry reads what stands in an entry: in is the path below it.
func (c *camt) inEntry(e event, in []byte) error {
	tx := len(in) >= len(inTx) && string(in[:len(inTx)]) == inTx
	switch {
	case !tx && e == begin:
		return nil
	case !tx:
		return c.ofEntry(in)
	case len(in) > len(inTx) && e == end:
		return c.inTx(in[len(inTx):])
	case len(in) > len(inTx):
		return nil
	case e == end:
		return c.txDone()
	}
	if c.txs++; c.txs == 1 {
		if err := c.head(); err != nil {
			return err
		}
	}
	c.t = c.e
	c.t.line, c.t.ref = c.line(), ""
	c.txRaw, c.txCurrency, c.direction2, c.altRaw, c.altCurrency = "", "", "", "", ""
	return nil
}

func (c *camt) ofEntry(in []byte) (err error) {
	m := &c.e
	switch string(in) {
	case "/Amt":
		m.currency = c.attr
		return c.once(&c.raw)
	case "/CdtDbtInd":
		return c.once(&c.direction)
	case "/RvslInd":
		m.reversal = truth(c.value())
	case "/Sts", "/Sts/Cd", "/Sts/Prtry":
		if c.value() != "" {
			return c.once(&c.status)
		}
	case "/BookgDt/Dt", "/BookgDt/DtTm":
		if !m.at.IsZero() {
			return c.flaw(twice)
		}
		m.when, err = c.time(c.value())
	case "/AcctSvcrRef":
		m.entryRef = c.value()
	case "/BkTxCd/Domn/Cd", "/BkTxCd/Domn/Fmly/Cd", "/BkTxCd/Domn/Fmly/SubFmlyCd", "/BkTxCd/Prtry/Cd":
		m.code = c.coded(m.code, in[len("/BkTxCd"):], c.value())
	}
	return err
}

const twice = "an amount, direction, status or day stands twice"

// once keeps the text of an element that an entry, or a transaction, has once. With a second one nobody could say which counts.
func (c *camt) once(into *string) error {
	if *into != "" {
		return c.flaw(twice)
	}
	*into = c.value()
	return nil
}

// coded joins the parts of a bank's transaction code. A proprietary one stands
// only where there is no other.
func (c *camt) coded(code string, in []byte, value string) string {
	proprietary := string(in) == "/Prtry/Cd"
	switch {
	case proprietary && code == "" && len(value) <= 35:
		return value
	case proprietary || len(value) > 4:
		return code
	case string(in) == "/Domn/Cd":
		return value
	}
	c.scratch = append(append(append(c.scratch[:0], code...), '.'), value...)
	return c.again(c.scratch)
}

func truth(text string) bool { return text == "true" || text == "1" }

// inTx reads a transaction of an entry. What isn't named here isn't looked at.
func (c *camt) inTx(in []byte) error {
	m := &c.t
	switch string(in) {
	case "/Amt":
		c.txCurrency = c.attr
		return c.once(&c.txRaw)
	case "/AmtDtls/TxAmt/Amt":
		c.altCurrency = c.attr
		return c.once(&c.altRaw)
	case "/CdtDbtInd":
		return c.once(&c.direction2)
	case "/Refs/AcctSvcrRef":
		m.ref = c.value()
	case "/Refs/EndToEndId":
		if m.endToEnd = c.value(); m.endToEnd == "NOTPROVIDED" {
			m.endToEnd = ""
		}
	case "/Refs/InstrId":
		m.instruction = c.value()
	case "/RmtInf/Strd/CdtrRefInf/Ref":
		if m.reference == "" {
			m.reference = c.value()
		}
	case "/RmtInf/Ustrd":
		if len(m.text) < 1000 {
			m.text = strings.TrimSpace(m.text + " " + c.value())
		}
	case "/RtrInf/Rsn/Cd", "/RtrInf/Rsn/Prtry":
		m.returned = c.value()
	case "/RtrInf":
		m.returned = or(m.returned, "NARR")
	case "/RltdPties/Dbtr/Nm", "/RltdPties/Dbtr/Pty/Nm":
		if c.direction == "CRDT" {
			m.name = c.value()
		}
	case "/RltdPties/DbtrAcct/Id/IBAN":
		if c.direction == "CRDT" {
			m.iban = strings.ReplaceAll(c.value(), " ", "")
		}
	case "/BkTxCd/Domn/Cd":
		m.code = c.value()
	case "/BkTxCd/Domn/Fmly/Cd", "/BkTxCd/Domn/Fmly/SubFmlyCd":
		m.code = c.coded(m.code, in[len("/BkTxCd"):], c.value())
	}
	return nil
}

// head is complete once the details of an entry begin, or the entry ends.
func (c *camt) head() error {
	m := &c.e
	minor, err := c.minor(c.raw, m.currency)
	if err != nil {
		return err
	}
	m.minor = minor
	switch c.direction {
	case "CRDT":
	case "DBIT":
		m.minor = -minor
	default:
		return c.flaw("an entry has no direction")
	}
	if c.status == "" {
		return c.flaw("an entry has no status")
	}
	return nil
}

func (c *camt) txDone() error {
	m := &c.t
	if c.txRaw == "" && c.altCurrency == c.e.currency {
		c.txRaw, c.txCurrency = c.altRaw, c.altCurrency
	}
	m.ref = or(m.ref, c.e.entryRef)
	if c.txRaw == "" || c.txCurrency != c.e.currency {
		c.bare++
		return nil
	}
	minor, err := c.minor(c.txRaw, c.txCurrency)
	if err != nil {
		return err
	}
	switch or(c.direction2, c.direction) {
	case "CRDT":
	case "DBIT":
		minor = -minor
	default:
		return c.flaw("a transaction has no direction")
	}
	sum, ok := add(c.sum, minor)
	if !ok {
		return c.flaw("the sums are beyond what can be counted")
	}
	m.minor, c.sum = minor, sum
	c.told++
	return c.tell(m)
}

// entryDone counts the entry, and tells it as one movement where its
// transactions don't say what each of them is worth.
func (c *camt) entryDone() error {
	if c.txs == 0 {
		if err := c.head(); err != nil {
			return err
		}
	}
	if err := c.count(); err != nil {
		return err
	}
	switch {
	case c.told > 0 && c.bare > 0:
		return c.flaw("some transactions of an entry have no amount")
	case c.told > 0 && c.sum != c.e.minor:
		return c.flaw("the transactions of an entry don't add up to it")
	case c.told > 0:
		return nil
	case c.txs == 1: // it has no amount of its own
		c.t.minor = c.e.minor
		return c.tell(&c.t)
	}
	c.e.ref = c.e.entryRef
	return c.tell(&c.e)
}

func (c *camt) count() error {
	r, m := &c.report, &c.e
	if r.entries++; r.currency == "" {
		r.currency = m.currency
	}
	if c.message == camt053 && r.currency != m.currency {
		return c.flaw("a statement has entries in two currencies")
	}
	n, ok := &r.seen, true
	n.count++
	if m.minor < 0 || c.direction == "DBIT" {
		n.debits++
		n.debitSum, ok = add(n.debitSum, -m.minor)
	} else {
		n.credits++
		n.creditSum, ok = add(n.creditSum, m.minor)
	}
	if c.status == "BOOK" && ok {
		r.booked, ok = add(r.booked, m.minor)
	}
	if !ok {
		return c.flaw("the sums are beyond what can be counted")
	}
	return nil
}

// tell hands a movement out, if it is booked: what is only announced may go.
func (c *camt) tell(m *movement) error {
	if c.status != "BOOK" {
		return nil
	}
	if m.at.IsZero() {
		return c.flaw("a booked entry has no day")
	}
	c.rows++
	m.row = c.rows
	equal := m.print()
	m.occurrence = c.equal[equal]
	if c.equal[equal]++; len(c.equal) > maxEqual { // in memory that doesn't grow
		clear(c.equal)
	}
	return c.each(m)
}

const maxEqual = 1 << 16
