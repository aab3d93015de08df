package bank

import (
	"io"
	"time"

	"paysaga/domain/money"
)

const pain002 = "pain.002.001"

var pain002s = map[string][]string{pain002: {"03", "04", "05", "06", "07", "08", "09", "10", "11"}}

// maxStatus bounds a pain.002: one of maxBatch transactions has some 10 MB.
const maxStatus = 64 << 20

// status is one line of a pain.002: about a file, a part of it, or one transfer.
type status struct {
	row, line   int
	group       string // OrgnlPmtInfId; empty: about the whole file
	endToEnd    string // empty: about the group
	code        string
	reason      string
	amountMinor int64 // zero: not named
	currency    string
}

// statusReport is a pain.002.
type statusReport struct {
	msgID    string // of the file that it is about
	created  time.Time
	statuses []status
}

// readStatus reads a pain.002. It is as large as the file that it answers, so it
// is kept whole.
func readStatus(r io.Reader, zone *time.Location) (statusReport, error) {
	p := &pain{document: read(r, maxStatus), zone: zone}
	if err := p.document.each(p.step); err != nil {
		return statusReport{}, err
	}
	switch {
	case p.out.msgID == "":
		return statusReport{}, p.flaw("it doesn't say which file it is about")
	case p.out.created.IsZero():
		return statusReport{}, p.flaw("it has no time")
	}
	return p.out, nil
}

type pain struct {
	*document
	zone *time.Location
	out  statusReport
	// of the element that is open
	file, part, tx status
}

const (
	inReport = "/Document/CstmrPmtStsRpt"
	inFile   = inReport + "/OrgnlGrpInfAndSts"
	inPart   = inReport + "/OrgnlPmtInfAndSts"
	inStatus = inPart + "/TxInfAndSts"
)

func (p *pain) step(e event) (err error) {
	if p.depth == 1 {
		if message, _ := p.among(pain002s); message == "" {
			return p.flaw("it is not a pain.002 of version 03 to 11")
		}
		return nil
	}
	if e == begin {
		switch string(p.path) {
		case inFile:
			p.file = status{line: p.line()}
		case inPart:
			p.part = status{line: p.line()}
		case inStatus:
			p.tx = status{line: p.line(), group: p.part.group}
		}
		return nil
	}
	switch string(p.path) {
	case inReport + "/GrpHdr/CreDtTm":
		var made when
		made, err = parseWhen(p.value(), p.zone, func() error { return p.flaw("a date can't be read") })
		p.out.created = made.at
	case inFile + "/OrgnlMsgId":
		if p.out.msgID != "" && p.out.msgID != p.value() {
			return p.flaw("it is about two files")
		}
		p.out.msgID = p.value()
	case inFile + "/GrpSts":
		p.file.code = p.value()
	case inFile + "/StsRsnInf/Rsn/Cd", inFile + "/StsRsnInf/Rsn/Prtry":
		p.file.reason = or(p.file.reason, p.value())
	case inFile:
		return p.tell(p.file)
	case inPart + "/OrgnlPmtInfId":
		p.part.group = p.value()
	case inPart + "/PmtInfSts":
		p.part.code = p.value()
	case inPart + "/StsRsnInf/Rsn/Cd", inPart + "/StsRsnInf/Rsn/Prtry":
		p.part.reason = or(p.part.reason, p.value())
	case inPart:
		if p.part.group == "" {
			return p.flaw("it is about a part of a file without saying which")
		}
		return p.tell(p.part)
	default:
		if in := p.below(inStatus); in != nil || string(p.path) == inStatus {
			return p.transaction(string(in))
		}
	}
	return err
}

func (p *pain) transaction(in string) (err error) {
	switch in {
	case "/OrgnlEndToEndId":
		p.tx.endToEnd = p.value()
	case "/TxSts":
		p.tx.code = p.value()
	case "/StsRsnInf/Rsn/Cd", "/StsRsnInf/Rsn/Prtry":
		p.tx.reason = or(p.tx.reason, p.value())
	case "/OrgnlTxRef/Amt/InstdAmt":
		a, broken := money.ParsePositive(p.value(), money.Currency(p.attr))
		if broken != nil {
			return p.flaw("an amount can't be read")
		}
		p.tx.amountMinor, p.tx.currency = a.Minor, string(a.Currency)
	case "":
		if p.tx.endToEnd == "" {
			return p.flaw("it is about a transfer without saying which")
		}
		return p.tell(p.tx)
	}
	return err
}

// codes are the statuses of the external code list that we know. Another one is
// refused, never taken for something under way.
var codes = map[string]bool{"RCVD": true, "ACTC": true, "ACCP": true, "ACSP": true, "ACWC": true, "ACWP": true, "ACFC": true, "PATC": true,
	"PDNG": true, "PART": true, "PRES": true, "BLCK": true, "ACSC": true, "ACCC": true, "RJCT": true, "CANC": true}

// tell keeps a status. What only names what the lines below are about has none.
func (p *pain) tell(s status) error {
	switch {
	case s.code == "" && s.endToEnd == "":
		return nil
	case !codes[s.code]:
		return p.flaw("it has a status that we don't know")
	case len(s.reason) > 35:
		return p.flaw("it has a reason that is too long")
	}
	s.row = len(p.out.statuses) + 1
	p.out.statuses = append(p.out.statuses, s)
	return nil
}
