package bank

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

const (
	maxDepth = 24       // the messages of ISO 20022 that we read are 14 deep
	maxText  = 4 << 10  // of one element; the longest that we look at has 500 characters
	maxToken = 64 << 10 // of one tag, text or comment: a reader must not gather without end
)

// document reads an XML file element by element, in memory that doesn't grow
// with it. What no bank writes it refuses: a DOCTYPE, entities of its own,
// instructions, depth and texts without measure.
type document struct {
	in    *scanner
	path  []byte // local names from the root, each with a slash before it
	marks []int  // where each name begins in path
	full  []byte // names with their prefixes, of what is open
	fulls []int  // where each begins in full
	depth int
	// foreign is the depth at which another namespace began; 0: in ours.
	foreign int
	text    []byte // of the element that is open, if it has no children
	attr    string // its Ccy
	seen    bool   // a root was there
	alone   bool   // what was opened last has no content: its end follows
	parts   int    // that were read
	space   string // the root's namespace
	bound   []binding
	scratch []byte
	words   [256]string
}

// binding is what an element says that a prefix means below it.
type binding struct {
	prefix, space string
	depth         int
}

func read(r io.Reader, limit int64) *document {
	return &document{in: newScanner(r, limit)}
}

// flaw is why a file can't be believed, and where; it quotes nothing of it.
type flaw struct {
	line   int
	reason string
}

func (f *flaw) Error() string { return fmt.Sprintf("line %d: %s", f.line, f.reason) }

func (d *document) line() int { return d.in.line() }

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
	if d.alone {
		d.alone = false
		return end, nil
	}
	for {
		p, raw, err := d.in.next()
		switch {
		case err == io.EOF && (!d.seen || d.depth > 0):
			return 0, d.unreadable(errTruncated)
		case err == io.EOF:
			return 0, io.EOF
		case err != nil:
			return 0, d.unreadable(err)
		}
		d.parts++
		switch p {
		case partText, partCData:
			err = d.chars(raw, p == partCData)
		case partOpen:
			if err = d.open(raw); err == nil {
				return begin, nil
			}
		case partClose:
			if err = d.close(raw); err == nil {
				return end, nil
			}
		case partInstruction:
			err = d.instruction(raw)
		case partDirective:
			err = errors.New("it has a DOCTYPE or another directive")
		}
		if err != nil {
			return 0, d.unreadable(err)
		}
	}
}

// unreadable is what is wrong and where; what the reader has failed of is its own.
func (d *document) unreadable(err error) error {
	if d.in.failed != nil {
		return d.in.failed
	}
	return d.flaw(err.Error())
}

// instruction takes an XML declaration, and nothing else.
func (d *document) instruction(raw []byte) error {
	n := name(raw, 0)
	if string(raw[:n]) != "xml" || d.depth > 0 {
		return errors.New("it has a processing instruction")
	}
	version, encoding := "", ""
	for rest := raw[n:]; ; {
		key, value, after, err := attribute(rest)
		switch {
		case err != nil:
			return err
		case key == nil:
			if version != "1.0" {
				return errMalformed
			}
			return d.encoded(encoding)
		case string(key) == "version":
			version = string(value)
		case string(key) == "encoding":
			encoding = strings.ToLower(string(value))
		}
		rest = after
	}
}

// encoded reads what banks still write besides UTF-8.
func (d *document) encoded(name string) error {
	switch name {
	case "", "utf-8", "us-ascii", "ascii":
		return d.in.recode(false, d.parts == 1)
	case "iso-8859-1", "latin1", "iso-8859-15":
		return d.in.recode(true, d.parts == 1)
	}
	return errEncoding
}

func (d *document) open(tag []byte) error {
	if d.depth >= maxDepth {
		return errors.New("it is nested too deeply")
	}
	if n := len(tag); n > 0 && tag[n-1] == '/' {
		tag, d.alone = tag[:n-1], true
	}
	n := name(tag, d.in.named)
	prefix, local, ok := split(tag[:n])
	if n == 0 || !ok {
		return errMalformed
	}
	d.depth++
	if d.attr = ""; n < len(tag) {
		if err := d.attributes(tag[n:]); err != nil {
			return err
		}
	}
	switch space := d.resolve(prefix); {
	case d.depth == 1:
		d.space, d.seen = space, true
	case d.foreign == 0 && space != d.space:
		d.foreign = d.depth
	}
	d.fulls = append(d.fulls, len(d.full))
	d.full, d.in.open = append(d.full, tag[:n]...), n
	d.marks = append(d.marks, len(d.path))
	d.path = append(d.path, '/')
	if d.foreign > 0 {
		d.path = append(d.path, '?')
	}
	d.path = append(d.path, local...)
	d.text = d.text[:0]
	return nil
}

// attributes looks at all of a tag's, and keeps the currency and the namespaces.
func (d *document) attributes(rest []byte) error {
	for {
		key, value, after, err := attribute(rest)
		if err != nil || key == nil {
			return err
		}
		space, local, ok := split(key)
		if !ok {
			return errMalformed
		}
		if rest = after; !verbatim(value) {
			if d.scratch, err = decode(d.scratch[:0], value, false); err != nil {
				return err
			}
			value = d.scratch
		}
		switch {
		case string(key) == "Ccy":
			d.attr = d.word(value)
		case string(key) == "xmlns":
			d.bound = append(d.bound, binding{"", string(value), d.depth})
		case string(space) == "xmlns":
			d.bound = append(d.bound, binding{string(local), string(value), d.depth})
		}
	}
}

// resolve is the namespace that a prefix means here. One that nobody bound means itself: it is not ours.
func (d *document) resolve(prefix []byte) string {
	for i := len(d.bound) - 1; i >= 0; i-- {
		if d.bound[i].prefix == string(prefix) {
			return d.bound[i].space
		}
	}
	return string(prefix)
}

func (d *document) close(tag []byte) error {
	if d.depth == 0 {
		return errMalformed
	}
	open := d.full[d.fulls[d.depth-1]:]
	if !bytes.HasPrefix(tag, open) || len(spaced(tag[len(open):])) > 0 {
		return errMalformed
	}
	return nil
}

// pop leaves the element whose end next has told of; text is the next one's then.
func (d *document) pop() {
	last := d.depth - 1
	if d.foreign == d.depth {
		d.foreign = 0
	}
	d.path, d.marks = d.path[:d.marks[last]], d.marks[:last]
	d.full, d.fulls = d.full[:d.fulls[last]], d.fulls[:last]
	if last > 0 {
		d.in.open = len(d.full) - d.fulls[last-1]
	}
	for n := len(d.bound); n > 0 && d.bound[n-1].depth == d.depth; n-- {
		d.bound = d.bound[:n-1]
	}
	d.depth = last
	d.text = d.text[:0]
}

func (d *document) chars(t []byte, cdata bool) (err error) {
	if !verbatim(t) {
		if !cdata && bytes.Contains(t, []byte("]]>")) {
			return errMalformed
		}
		if d.scratch, err = decode(d.scratch[:0], t, cdata); err != nil {
			return err
		}
		t = d.scratch
	}
	if d.depth == 0 {
		if len(bytes.TrimSpace(bytes.TrimPrefix(t, []byte("\ufeff")))) > 0 {
			return errMalformed
		}
		return nil
	}
	if len(d.text) == 0 && len(t) > maxText {
		t = bytes.TrimLeftFunc(t, unicode.IsSpace)
	}
	if len(d.text)+len(t) > maxText {
		return errors.New("a text is too long")
	}
	d.text = append(d.text, t...)
	return nil
}

// value is the text of the element that ends, without the space around it.
func (d *document) value() string { return d.word(bytes.TrimSpace(d.text)) }

// word is a text as a string. Short ones come again and again: codes, currencies, days.
func (d *document) word(text []byte) string {
	if n := len(text); n == 0 || n > 10 {
		return string(text)
	}
	return d.again(text)
}

// again is a text that most likely came before, as the string that it was then.
func (d *document) again(text []byte) string {
	n := len(text)
	last := &d.words[text[0]*31^text[n-1]*7^text[n/2]^byte(n)]
	if *last != string(text) {
		*last = string(text)
	}
	return *last
}

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
