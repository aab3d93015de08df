package bank

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

const (
	maxDepth = 24       // the messages of ISO 20022 that we read are 14 deep
	maxText  = 4 << 10  // of one element; the longest that we look at has 500 characters
	maxToken = 64 << 10 // between two tokens: a reader must not gather without end
)

// document reads an XML file element by element, in memory that doesn't grow
// with it. What no bank writes it refuses: a DOCTYPE, entities of its own,
// instructions, depth and texts without measure.
type document struct {
	dec   *xml.Decoder
	in    *metered
	path  []byte // local names from the root, each with a slash before it
	marks []int  // where each name begins in path
	names []xml.Name
	// foreign is the depth at which another namespace began; 0: in ours.
	foreign int
	text    []byte // of the element that is open, if it has no children
	attr    string // its Ccy
	seen    bool   // a root was there
	prefix  string
	space   string // the root's namespace
}

// metered gives up on input that is too large, as a whole or between two tokens.
type metered struct {
	io.Reader
	left, since int64
	failed      error  // of the reader, not of what was read
	got         []byte // of buf
	at          int
	buf         [16 << 10]byte
}

var (
	errTooLarge = errors.New("it is too large")
	errToken    = errors.New("a part of it is too large")
)

// ReadByte is all that the decoder asks for as long as the file is UTF-8.
func (m *metered) ReadByte() (byte, error) {
	if m.at == len(m.got) {
		if err := m.fill(); err != nil {
			return 0, err
		}
	}
	if m.since++; m.since > maxToken {
		return 0, errToken
	}
	b := m.got[m.at]
	m.at++
	return b, nil
}

func (m *metered) fill() error {
	if m.left <= 0 {
		return errTooLarge
	}
	for range 100 {
		n, err := m.Reader.Read(m.buf[:min(int64(len(m.buf)), m.left)])
		m.left, m.got, m.at = m.left-int64(n), m.buf[:n], 0
		if n > 0 {
			return nil
		}
		if err != nil {
			if err != io.EOF {
				m.failed = err
			}
			return err
		}
	}
	m.failed = io.ErrNoProgress
	return m.failed
}

func (m *metered) Read(p []byte) (n int, err error) {
	for n < len(p) && (n == 0 || m.at < len(m.got)) {
		if p[n], err = m.ReadByte(); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func read(r io.Reader, limit int64) *document {
	in := &metered{Reader: r, left: limit}
	d := &document{in: in, dec: xml.NewDecoder(in)}
	d.dec.CharsetReader = charset
	return d
}

// charset reads what banks still write besides UTF-8.
func charset(name string, r io.Reader) (io.Reader, error) {
	switch strings.ToLower(name) {
	case "us-ascii", "ascii":
		return r, nil
	case "iso-8859-1", "latin1", "iso-8859-15":
		return &latin{r: r}, nil
	}
	return nil, errors.New("its encoding is not UTF-8, US-ASCII or ISO-8859-1")
}

// latin turns ISO 8859-1 into UTF-8.
type latin struct {
	r   io.Reader
	out []byte
	buf [1024]byte
}

func (l *latin) Read(p []byte) (int, error) {
	if len(l.out) == 0 {
		n, err := l.r.Read(l.buf[:])
		if n == 0 {
			return 0, err
		}
		l.out = l.out[:0]
		for _, b := range l.buf[:n] {
			l.out = utf8.AppendRune(l.out, rune(b))
		}
	}
	n := copy(p, l.out)
	l.out = l.out[n:]
	return n, nil
}

// flaw is why a file can't be believed, and where; it quotes nothing of it.
type flaw struct {
	line   int
	reason string
}

func (f *flaw) Error() string { return fmt.Sprintf("line %d: %s", f.line, f.reason) }

func (d *document) line() int {
	line, _ := d.dec.InputPos()
	return line
}

func (d *document) flaw(reason string) error { return &flaw{line: d.line(), reason: reason} }

// event is the begin or the end of an element.
type event int

const (
	begin event = iota + 1
	end
)

// next goes to the next begin or end; path is that of the element. io.EOF comes
// only after a whole document.
func (d *document) next() (event, error) {
	for {
		d.in.since = 0
		t, err := d.dec.RawToken()
		switch {
		case err == io.EOF && (!d.seen || len(d.names) > 0):
			return 0, d.flaw(truncated)
		case err == io.EOF:
			return 0, io.EOF
		case err != nil:
			return 0, d.unreadable(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			return begin, d.open(t)
		case xml.EndElement:
			return end, d.close(t)
		case xml.CharData:
			if err := d.chars(t); err != nil {
				return 0, err
			}
		case xml.ProcInst:
			if t.Target != "xml" || len(d.names) > 0 {
				return 0, d.flaw("it has a processing instruction")
			}
		case xml.Directive:
			return 0, d.flaw("it has a DOCTYPE or another directive")
		}
	}
}

const truncated = "it ends before it is complete"

// unreadable says what is wrong in our words: the decoder's quote the file.
func (d *document) unreadable(err error) error {
	var syntax *xml.SyntaxError
	switch {
	case d.in.failed != nil:
		return d.in.failed
	case errors.Is(err, errTooLarge), errors.Is(err, errToken):
		return d.flaw(err.Error())
	case errors.As(err, &syntax) && strings.Contains(syntax.Msg, "unexpected EOF"):
		return d.flaw(truncated)
	case errors.As(err, &syntax) && strings.Contains(syntax.Msg, "entity"):
		return d.flaw("it has an entity of its own")
	case strings.Contains(err.Error(), "encoding"):
		return d.flaw("its encoding is not UTF-8, US-ASCII or ISO-8859-1")
	}
	return d.flaw("it is not well-formed XML")
}

func (d *document) open(t xml.StartElement) error {
	if len(d.names) >= maxDepth {
		return d.flaw("it is nested too deeply")
	}
	d.attr = ""
	own := ""
	for _, a := range t.Attr {
		switch {
		case a.Name.Space == "" && a.Name.Local == "Ccy":
			d.attr = a.Value
		case a.Name.Space == "xmlns" && a.Name.Local == t.Name.Space, a.Name.Space == "" && a.Name.Local == "xmlns" && t.Name.Space == "":
			own = a.Value
		}
	}
	d.names = append(d.names, t.Name)
	switch {
	case len(d.names) == 1:
		d.prefix, d.space, d.seen = t.Name.Space, own, true
	case d.foreign == 0 && (t.Name.Space != d.prefix || (own != "" && own != d.space)):
		d.foreign = len(d.names)
	}
	d.marks = append(d.marks, len(d.path))
	d.path = append(d.path, '/')
	if d.foreign > 0 {
		d.path = append(d.path, '?')
	}
	d.path = append(d.path, t.Name.Local...)
	d.text = d.text[:0]
	return nil
}

func (d *document) close(t xml.EndElement) error {
	if len(d.names) == 0 || d.names[len(d.names)-1] != t.Name {
		return d.flaw("it is not well-formed XML")
	}
	return nil
}

// pop leaves the element whose end next has told of; text is the next one's then.
func (d *document) pop() {
	last := len(d.names) - 1
	if d.foreign == len(d.names) {
		d.foreign = 0
	}
	d.names, d.path, d.marks = d.names[:last], d.path[:d.marks[last]], d.marks[:last]
	d.text = d.text[:0]
}

func (d *document) chars(t xml.CharData) error {
	if len(d.names) == 0 {
		if len(bytes.TrimSpace(bytes.TrimPrefix(t, []byte("\ufeff")))) > 0 {
			return d.flaw("it is not well-formed XML")
		}
		return nil
	}
	if len(d.text)+len(t) > maxText {
		if t = bytes.TrimSpace(t); len(d.text)+len(t) > maxText {
			return d.flaw("a text is too long")
		}
	}
	d.text = append(d.text, t...)
	return nil
}

// value is the text of the element that ends, without the space around it.
func (d *document) value() string { return string(bytes.TrimSpace(d.text)) }

// below is the path after prefix; nil when it doesn't begin so.
func (d *document) below(prefix string) []byte {
	if len(d.path) <= len(prefix) || string(d.path[:len(prefix)]) != prefix {
		return nil
	}
	return d.path[len(prefix):]
}

// each calls f for every begin and end until the file is over.
func (d *document) each(f func(event) error) error {
	for {
		e, err := d.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f(e); err != nil {
			return err
		}
		if e == end {
			d.pop()
		}
	}
}

// among says which message a file is by its root's namespace: one of versions
// of a name such as "camt.053.001"; empty: none of them.
func (d *document) among(known map[string][]string) (message, version string) {
	name := strings.TrimPrefix(d.space, "urn:iso:std:iso:20022:tech:xsd:")
	if rest, swiss := strings.CutPrefix(d.space, "http://www.six-interbank-clearing.com/de/"); swiss {
		name, _, _ = strings.Cut(rest, ".ch.") // pain.002.001.03.ch.02.xsd
	}
	at := strings.LastIndexByte(name, '.')
	if at < 0 || name == d.space {
		return "", ""
	}
	for _, v := range known[name[:at]] {
		if v == name[at+1:] {
			return name[:at], v
		}
	}
	return "", ""
}
