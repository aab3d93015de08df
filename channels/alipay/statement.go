package alipay

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/reconcile"
)

// The kinds of bills.
const (
	BillTrade   = "trade"   // what customers paid and were given back
	BillAccount = "account" // every movement of the merchant's balance
)

// kinds are what Alipay calls them, and how their files are named.
var kinds = map[string]struct{ method, mark string }{
	BillTrade:   {"trade", "业务明细"},
	BillAccount: {"signcustomer", "账务明细"},
}

// maxBill bounds a bill as it is sent, packed.
const maxBill = 2 << 30

// Statement streams the bill of a day of China's: a zip. It is there from ten o'clock of the next day on; Alipay doesn't
// say whether a bill that isn't there is still to come, so this goes by the clock.
func (c *Channel) Statement(ctx context.Context, a channels.Account, r channels.StatementRequest) (io.ReadCloser, error) {
	k, known := kinds[r.Kind]
	if !known {
		return nil, fault.Invalid("statement_unknown", "kind", "alipay has bills of the kinds trade and account")
	}
	now := time.Now()
	s, err := c.session(channels.Call{Account: a, Now: now})
	if err != nil {
		return nil, err
	}
	var answer struct {
		URL string `json:"bill_download_url"`
	}
	biz := map[string]string{"bill_type": k.method, "bill_date": r.Day.Format(time.DateOnly)}
	v, err := s.call(ctx, request{method: "alipay.data.dataservice.bill.downloadurl.query", content: biz}, &answer)
	day := time.Date(r.Day.Year(), r.Day.Month(), r.Day.Day(), 0, 0, 0, 0, zone)
	switch {
	case strings.Contains(strings.ToLower(v.SubCode), "bill_not_exist"):
		if now.Before(day.AddDate(0, 0, 1).Add(10 * time.Hour)) {
			return nil, fault.Unavailable("statement_not_ready", "alipay has no bill of that day yet: it is made until ten o'clock of the next", nil)
		}
		return nil, fault.NotFound("bill of that day at alipay")
	case err != nil:
		return nil, err
	case !v.done():
		return nil, v.unexplained()
	case !s.downloads(answer.URL):
		return nil, fault.Unknown("channel_answer_unreadable", "alipay names a place for the bill that isn't its own", nil)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, answer.URL, nil)
	if err != nil {
		return nil, unreadable()
	}
	return c.wire.Stream(ctx, req, maxBill)
}

// downloads says whether a bill is fetched from an address: one of Alipay's, or of the server that the account names.
func (s *session) downloads(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.User != nil {
		return false
	}
	own, err := url.Parse(s.address())
	return err == nil && u.Scheme == own.Scheme && (u.Host == own.Host || u.Scheme == "https" && u.Port() == "" && strings.HasSuffix(u.Host, ".alipay.com"))
}

// ReadStatement reads a bill: the zip that Alipay sends, or the detail file out of it.
func (c *Channel) ReadStatement(f reconcile.File, r io.Reader, each func(*reconcile.Line) error) (reconcile.Control, error) {
	in := bufio.NewReaderSize(r, maxLine)
	head, err := in.Peek(4)
	switch {
	case err != nil && fault.Of(err) != fault.KindInternal: // the source of the bytes has said what it is
		return reconcile.Control{}, err
	case bytes.HasPrefix(head, []byte("#")):
		return readBill(f, in, each)
	case !bytes.Equal(head, []byte("PK\x03\x04")):
		return reconcile.Control{}, f.Broken(0, "it is neither a zip with files nor a bill")
	}
	return readArchive(f, in, each)
}

// readArchive reads the one detail file of a zip. The summary beside it repeats the detail's sums by shop, for people.
func readArchive(f reconcile.File, in *bufio.Reader, each func(*reconcile.Line) error) (total reconcile.Control, err error) {
	a := &archive{f: f, in: &counted{Reader: in}}
	mark := kinds[f.Kind].mark
	for found := false; ; {
		name, content, err := a.next()
		switch {
		case err == io.EOF && !found:
			return total, f.Broken(0, "the zip has no bill of this kind")
		case err == io.EOF:
			return total, nil
		case err != nil:
			return reconcile.Control{}, err
		case !strings.Contains(name, mark):
			return reconcile.Control{}, f.Broken(0, "the zip holds a file that isn't of this kind of bill")
		case strings.Contains(name, "汇总"):
			continue
		case found:
			return reconcile.Control{}, f.Broken(0, "the zip has two bills")
		}
		found = true
		if total, err = readBill(f, bufio.NewReaderSize(content, maxLine), each); err != nil {
			return reconcile.Control{}, err
		}
	}
}

// bill is a file being read.
type bill struct {
	*lines
	layout *layout
	cells  [][]byte
	column []int // of the layout's columns, where the file has them
	total  reconcile.Control
	in     sums // what came in, or was charged
	out    sums
	words  map[string]string // decoded
}

// sums count one side of a bill.
type sums struct {
	lines int
	minor int64
}

// layout is how a kind of bill is written.
type layout struct {
	mark    []byte   // in the line that ends the list
	columns []string // by name, in the order of the constants
	read    func(*bill, *reconcile.Line) (*sums, int64, string)
	in, out footer
}

// readBill reads a detail file: comments, the names of the columns, the lines, and the sums.
func readBill(f reconcile.File, in *bufio.Reader, each func(*reconcile.Line) error) (reconcile.Control, error) {
	b := &bill{lines: &lines{f: f, in: in}, layout: layouts[f.Kind], words: map[string]string{}}
	if b.layout == nil {
		return reconcile.Control{}, f.Broken(0, "there is no such kind of bill")
	}
	if err := b.heading(); err != nil {
		return reconcile.Control{}, err
	}
	line := reconcile.Line{}
	for {
		raw, err := b.next()
		switch {
		case err == io.EOF:
			return reconcile.Control{}, f.Broken(0, "the list has no end: the file is cut")
		case err != nil:
			return reconcile.Control{}, err
		case bytes.HasPrefix(raw, []byte("#")):
			return b.footing(raw)
		case !cells(raw, b.cells):
			return reconcile.Control{}, b.broken("the line doesn't have as many cells as there are columns")
		}
		line = f.Line(b.row)
		line.Currency = yuan
		side, minor, reason := b.layout.read(b, &line)
		if reason == "" {
			reason = side.add(minor)
		}
		if reason == "" {
			reason = b.total.Add(&line)
		}
		if reason != "" {
			return reconcile.Control{}, b.broken(reason)
		}
		if err := each(&line); err != nil {
			return reconcile.Control{}, err
		}
	}
}

func (s *sums) add(minor int64) string {
	s.lines++
	before := s.minor
	if s.minor += minor; minor > 0 && s.minor < before || minor < 0 && s.minor > before {
		return "the sums are beyond what can be counted"
	}
	return ""
}

// heading reads up to the names of the columns and finds ours among them.
func (b *bill) heading() error {
	for {
		raw, err := b.next()
		switch {
		case err == io.EOF:
			return b.f.Broken(0, "the file has no columns")
		case err != nil:
			return err
		case bytes.HasPrefix(raw, []byte("#")):
			if b.row > 20 {
				return b.broken("the file has no columns")
			}
			continue
		}
		names := strings.Split(utf8(raw), ",")
		b.cells = make([][]byte, len(names))
		at := map[string]int{}
		for i, name := range names {
			name = strings.Trim(name, "\t \"")
			if _, twice := at[name]; twice {
				return b.broken("a column stands twice")
			}
			at[name] = i
		}
		b.column = make([]int, len(b.layout.columns))
		for i, name := range b.layout.columns {
			var found bool
			if b.column[i], found = at[name]; !found {
				return b.broken("the columns aren't those of this kind of bill")
			}
		}
		return nil
	}
}

// cell is one of the layout's.
func (b *bill) cell(column int) []byte { return b.cells[b.column[column]] }

// word decodes one of the few words of a column.
func (b *bill) word(column int) string {
	raw := b.cell(column)
	if text, known := b.words[string(raw)]; known {
		return text
	}
	text := utf8(raw)
	if len(b.words) < 1000 {
		b.words[string(raw)] = text
	}
	return text
}

// footing reads the sums at the end and holds them against the lines.
func (b *bill) footing(raw []byte) (reconcile.Control, error) {
	if !bytes.Contains(raw, b.layout.mark) {
		return reconcile.Control{}, b.broken("a comment stands among the lines")
	}
	var in, out *sums
	for {
		raw, err := b.next()
		switch {
		case err == io.EOF && (in == nil || out == nil):
			return reconcile.Control{}, b.f.Broken(0, "the sums at the end are missing: the file is cut")
		case err == io.EOF && (*in != b.in || *out != b.out):
			return reconcile.Control{}, b.f.Broken(0, "the file's own counts and sums differ from its lines")
		case err == io.EOF:
			b.total.Declared = true
			return b.total, nil
		case err != nil:
			return reconcile.Control{}, err
		case !bytes.HasPrefix(raw, []byte("#")):
			return reconcile.Control{}, b.broken("a line follows the end of the list")
		}
		text := utf8(raw)
		for _, side := range []struct {
			is   footer
			into **sums
		}{{b.layout.in, &in}, {b.layout.out, &out}} {
			if !strings.HasPrefix(text, side.is.begins) {
				continue
			}
			found, ok := side.is.read(text)
			if !ok || *side.into != nil {
				return reconcile.Control{}, b.broken("the sums can't be read")
			}
			*side.into = &found
		}
	}
}

// footer is how a sum is written: "#交易合计：6笔，商家实收共0.06元，…".
type footer struct{ begins, sum string }

// read takes the count and the sum. A sum may carry its sign or not: what is meant is said by the name.
func (f footer) read(text string) (sums, bool) {
	rest := strings.TrimPrefix(text, f.begins)
	count, rest, ok := strings.Cut(rest, "笔，"+f.sum)
	value, _, more := strings.Cut(rest, "元")
	if !ok || !more || count == "" || len(count) > 9 || strings.Trim(count, "0123456789") != "" || value == "" {
		return sums{}, false
	}
	s := sums{}
	for _, d := range count {
		s.lines = s.lines*10 + int(d-'0')
	}
	minor, ok := fen([]byte(value))
	s.minor = max(minor, -minor)
	return s, ok
}
