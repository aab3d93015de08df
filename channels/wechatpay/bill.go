package wechatpay

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/reconcile"
)

// ReadStatement reads a trade or a fund-flow bill: UTF-8 after a byte order mark, columns by name, a backtick before each
// cell of a row, and at the end the bill's own sums, which have to be those of its rows.
func (*Channel) ReadStatement(f reconcile.File, r io.Reader, each func(*reconcile.Line) error) (reconcile.Control, error) {
	switch f.Kind {
	case Trade:
		return readBill(f, r, each, &tradeBill{})
	case FundFlow:
		return readBill(f, r, each, &fundFlowBill{})
	}
	return reconcile.Control{}, fault.Invalid("statement_unknown", "kind", "WeChat Pay has no such kind of statement")
}

// maxLine bounds a line; the longest fields are a description of 127 characters and a remark of 2048.
const maxLine = 64 << 10

// format is what differs between the bills. What goes wrong is said in a reason; empty is fine.
type format interface {
	// head finds the columns.
	head(names []string) (reason string)
	// row reads a row into a line that has all that lines share.
	row(c cells, l *reconcile.Line, zone *time.Location) (reason string)
	// foot compares the sums that the bill states with those of the rows.
	foot(sums summary) (reason string)
}

// bill reads lines and knows where it is.
type bill struct {
	file  reconcile.File
	in    *bufio.Reader
	n     int  // the line that was read last
	ended bool // there was no line any more
}

// next is the next line without its end; it is the reader's again with the one after.
func (b *bill) next() ([]byte, error) {
	line, err := b.in.ReadSlice('\n')
	b.n++
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, b.broken("the line is too long")
	case err == io.EOF && len(line) == 0:
		b.ended = true
		return nil, nil
	case err != nil && err != io.EOF:
		return nil, err
	}
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), nil
}

func (b *bill) broken(reason string) error { return b.file.Broken(b.n, reason) }

func readBill(f reconcile.File, r io.Reader, each func(*reconcile.Line) error, form format) (reconcile.Control, error) {
	b := &bill{file: f, in: bufio.NewReaderSize(r, maxLine)}
	zone := f.Zone
	if zone == nil {
		zone = beijing
	}
	var control reconcile.Control
	columns, err := b.head(form)
	if err != nil {
		return control, err
	}
	var line reconcile.Line
	row := make(cells, 0, columns+1)
	for {
		text, err := b.next()
		switch {
		case err != nil:
			return control, err
		case b.ended:
			return control, f.Broken(0, "the file ends without its sums")
		case len(text) == 0 || text[0] != '`':
			control.Declared = true
			return control, b.foot(form, text)
		}
		if row = row.split(text); len(row) != columns {
			return control, b.broken("the row has another number of cells than the head")
		}
		line = f.Line(b.n)
		reason := form.row(row, &line, zone)
		if reason == "" {
			reason = control.Add(&line)
		}
		if reason != "" {
			return control, b.broken(reason)
		}
		if err := each(&line); err != nil {
			return control, err
		}
	}
}

// names reads a line that names columns; some bills have backticks there, too.
func names(line []byte) []string {
	list := strings.Split(string(line), ",")
	for i, name := range list {
		list[i] = strings.TrimSpace(strings.TrimPrefix(name, "`"))
	}
	return list
}

func (b *bill) head(form format) (columns int, err error) {
	line, err := b.next()
	switch {
	case err != nil:
		return 0, err
	case b.ended:
		return 0, b.file.Broken(0, "the file is empty")
	}
	list := names(bytes.TrimPrefix(line, []byte("\ufeff")))
	seen := map[string]bool{}
	for _, name := range list {
		if seen[name] {
			return 0, b.broken("two columns have the same name")
		}
		seen[name] = true
	}
	if reason := form.head(list); reason != "" {
		return 0, b.broken(reason)
	}
	return len(list), nil
}

// summary is what a bill states of itself: cells by name.
type summary map[string][]byte

// foot reads the sums: a line of names, which has been read, a line of values, and then nothing any more.
func (b *bill) foot(form format, head []byte) error {
	list := names(head)
	line, err := b.next()
	if err != nil {
		return err
	}
	values := cells{}.split(line)
	if b.ended || len(values) != len(list) {
		return b.broken("the sums have another number of cells than their names")
	}
	sums := summary{}
	for i, name := range list {
		sums[name] = bytes.Clone(values[i])
	}
	if reason := form.foot(sums); reason != "" {
		return b.broken(reason)
	}
	for {
		rest, err := b.next()
		switch {
		case err != nil:
			return err
		case b.ended:
			return nil
		case len(bytes.TrimSpace(rest)) > 0:
			return b.broken("the file goes on after its sums")
		}
	}
}

// cells are those of a row, without their backticks.
type cells [][]byte

var separator = []byte(",`")

// split reuses what it is called on. A row doesn't begin with a backtick: no cells.
func (c cells) split(line []byte) cells {
	c = c[:0]
	if len(line) == 0 || line[0] != '`' {
		return c
	}
	for line = line[1:]; ; {
		i := bytes.Index(line, separator)
		if i < 0 {
			return append(c, line)
		}
		c = append(c, line[:i])
		line = line[i+len(separator):]
	}
}

// fen reads yuan: digits, at most one point, perhaps a minus. Finer than a fen is refused, unless it is nothing.
func fen(text []byte) (int64, bool) {
	negative := len(text) > 0 && text[0] == '-'
	if negative {
		text = text[1:]
	}
	whole, fraction, point := bytes.Cut(text, []byte("."))
	if len(whole) == 0 || len(whole) > 15 || point && (len(fraction) == 0 || len(fraction) > 8) {
		return 0, false
	}
	var n int64
	for i := range len(whole) + max(len(fraction), 2) {
		c := byte('0')
		switch {
		case i < len(whole):
			c = whole[i]
		case i < len(whole)+len(fraction):
			c = fraction[i-len(whole)]
		}
		if c < '0' || c > '9' || c != '0' && i >= len(whole)+2 {
			return 0, false
		}
		if i < len(whole)+2 {
			n = n*10 + int64(c-'0')
		}
	}
	if negative {
		n = -n
	}
	return n, true
}

// whole reads a count, which bills write as 45 or as 45.0.
func whole(text []byte) (int64, bool) {
	n, ok := fen(text)
	return n / 100, ok && n >= 0 && n%100 == 0
}

// plus adds without wrapping.
func plus(sum *int64, n int64) bool {
	if n > 0 && *sum > math.MaxInt64-n || n < 0 && *sum < math.MinInt64-n {
		return false
	}
	*sum += n
	return true
}

// moment reads yyyy-MM-dd HH:mm:ss.
func moment(text []byte, zone *time.Location) (time.Time, bool) {
	const shape = "dddd-dd-dd dd:dd:dd"
	if len(text) != len(shape) {
		return time.Time{}, false
	}
	for i := range len(shape) {
		digit := text[i] >= '0' && text[i] <= '9'
		if shape[i] == 'd' && !digit || shape[i] != 'd' && text[i] != shape[i] {
			return time.Time{}, false
		}
	}
	two := func(i int) int { return int(text[i]-'0')*10 + int(text[i+1]-'0') }
	year, month, day, hour, minute, second := two(0)*100+two(2), two(5), two(8), two(11), two(14), two(17)
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, zone)
	if year < 2000 || t.Month() != time.Month(month) || t.Day() != day || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	return t, true
}

// plain is a number or a word of WeChat's: printable ASCII, not too long.
func plain(text []byte) bool {
	for _, c := range text {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return len(text) <= 128
}
