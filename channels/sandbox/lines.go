package sandbox

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/reconcile"
)

// Moves is the sandbox's one kind of statement: what moved on a day of UTC.
const Moves = "moves"

// maxLine bounds a line of a statement: its cells are ids, a key and numbers.
const maxLine = 4 << 10

// kinds are the sandbox's words for what moved, and whether money came in.
var kinds = map[string]struct {
	kind reconcile.Kind
	in   bool
}{
	"charge":  {reconcile.Charge, true},
	"capture": {reconcile.Charge, true},
	"refund":  {reconcile.Refund, false},
	"payout":  {reconcile.Payout, false},
}

// ReadStatement reads a day's CSV. The sandbox pays nobody out to a bank: what moves counts on the day it moved.
func (*Channel) ReadStatement(f reconcile.File, r io.Reader, each func(*reconcile.Line) error) (reconcile.Control, error) {
	p := &reader{file: f, in: bufio.NewReaderSize(r, 64<<10)}
	for {
		cells, err := p.next()
		if err != nil {
			return reconcile.Control{}, err
		}
		if string(cells[0]) == "end" {
			return p.end(cells)
		}
		l, reason := p.line(cells)
		if reason == "" {
			reason = p.sum.Add(&l)
		}
		if reason != "" {
			return reconcile.Control{}, f.Broken(p.row, reason)
		}
		if err := each(&l); err != nil {
			return reconcile.Control{}, err
		}
	}
}

// reader is one reading of a statement.
type reader struct {
	file  reconcile.File
	in    *bufio.Reader
	row   int
	sum   reconcile.Control
	cells [columns][]byte
	key   []byte
}

// header is the first line of a statement.
const header = "kind,id,reference,key,original_id,amount_minor,fee_minor,currency,occurred_at"

const columns = 9

// next reads the cells of the next line. They are good until the one after it.
func (p *reader) next() ([][]byte, error) {
	text, err := p.in.ReadSlice('\n')
	p.row++
	switch {
	case err == io.EOF:
		return nil, p.file.Broken(p.row, "the file is cut: its last line isn't the one with the count")
	case errors.Is(err, bufio.ErrBufferFull) || len(text) > maxLine:
		return nil, p.file.Broken(p.row, "the line is too long")
	case err != nil:
		return nil, err // of whoever gives the bytes
	}
	text = text[:len(text)-1]
	if p.row == 1 {
		if string(text) != header {
			return nil, p.file.Broken(1, "the columns aren't those of a statement of the sandbox")
		}
		return p.next()
	}
	return p.split(text)
}

// split cuts a line into cells. Only the key can be quoted.
func (p *reader) split(text []byte) ([][]byte, error) {
	n := 0
	for ; n < columns; n++ {
		if len(text) > 0 && text[0] == '"' {
			cell, rest, ok := p.unquote(text[1:])
			if !ok {
				return nil, p.file.Broken(p.row, "a quoted cell isn't closed, or more than one is quoted")
			}
			p.cells[n], text = cell, rest
		} else {
			at := bytes.IndexByte(text, ',')
			if at < 0 {
				at = len(text)
			}
			p.cells[n], text = text[:at], text[at:]
		}
		if len(text) == 0 {
			p.key = p.key[:0]
			return p.cells[:n+1], nil
		}
		text = text[1:] // the comma
	}
	return nil, p.file.Broken(p.row, "the line has too many cells")
}

func (p *reader) unquote(text []byte) (cell, rest []byte, ok bool) {
	if len(p.key) > 0 {
		return nil, nil, false
	}
	for {
		at := bytes.IndexByte(text, '"')
		if at < 0 {
			return nil, nil, false
		}
		p.key, text = append(p.key, text[:at]...), text[at+1:]
		if len(text) == 0 || text[0] == ',' {
			return p.key, text, true
		}
		if text[0] != '"' {
			return nil, nil, false
		}
		p.key, text = append(p.key, '"'), text[1:]
	}
}

// line reads a row. Every cell is looked at: what isn't understood is no line.
func (p *reader) line(cells [][]byte) (l reconcile.Line, reason string) {
	if len(cells) != columns {
		return l, "the line has too few cells"
	}
	l = p.file.Line(p.row)
	what, known := kinds[string(cells[0])]
	if !known {
		return l, "the kind of the movement is unknown"
	}
	l.Kind, l.Detail = what.kind, string(cells[0])
	for _, cell := range cells[:5] {
		if len(cell) > 255 || !utf8.Valid(cell) || bytes.IndexByte(cell, 0) >= 0 {
			return l, "an id or a key can't be read"
		}
	}
	l.ChannelID, l.Reference, l.OriginalID = string(cells[1]), string(cells[2]), string(cells[4])
	if l.ChannelID == "" {
		return l, "the movement has no id"
	}
	if ref, err := id.Reference(string(cells[3])); err == nil && ref != l.Reference {
		return l, "the reference isn't that of the key"
	}
	l.Identity = l.Detail + ":" + l.ChannelID
	if reason = amounts(&l, cells, what.in); reason != "" {
		return l, reason
	}
	at, err := time.Parse(time.RFC3339Nano, string(cells[8]))
	if err != nil || at.Year() < 2000 || at.Year() > 9999 {
		return l, "the time can't be read"
	}
	l.OccurredAt = at.UTC()
	l.SettledOn = reconcile.On(l.OccurredAt)
	return l, ""
}

func amounts(l *reconcile.Line, cells [][]byte, in bool) (reason string) {
	var good bool
	if l.Gross, good = number(cells[5]); !good || l.Gross == 0 || (l.Gross > 0) != in {
		return "the amount can't be read, or has the wrong sign"
	}
	if l.Fee, good = number(cells[6]); !good || l.Fee < 0 {
		return "the fee can't be read"
	}
	l.Net = l.Gross - l.Fee // no overflow but for a gross near the least int64, which number refuses
	l.Currency = money.Currency(cells[7])
	if _, known := l.Currency.Exponent(); !known {
		return "the currency is unknown"
	}
	return ""
}

// number reads a whole number in its one spelling, of at most eighteen digits.
func number(text []byte) (int64, bool) {
	n, err := strconv.ParseInt(string(text), 10, 64)
	return n, err == nil && len(text) <= 19 && n < 1e18 && n > -1e18 && strconv.FormatInt(n, 10) == string(text)
}

// end holds the last line against what was read.
func (p *reader) end(cells [][]byte) (reconcile.Control, error) {
	if len(cells) != 2 {
		return reconcile.Control{}, p.file.Broken(p.row, "the last line isn't the one with the count")
	}
	if n, good := number(cells[1]); !good || n != int64(p.sum.Lines) {
		return reconcile.Control{}, p.file.Broken(p.row, "the file has another number of lines than it says")
	}
	if _, err := p.in.ReadByte(); err == nil {
		return reconcile.Control{}, p.file.Broken(p.row+1, "something follows the last line")
	} else if err != io.EOF {
		return reconcile.Control{}, err
	}
	p.sum.Declared = true
	return p.sum, nil
}
