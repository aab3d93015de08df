package bank

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"
)

// scanner cuts an XML file into its parts without copying any: a part is a piece of its window, and the next part's afterwards. It knows
// nothing of names and depth; encoding/xml, which does all of it, allocates for each part and is several times as slow.
type scanner struct {
	in      io.Reader
	left    int64  // bytes that may still be read
	failed  error  // of the reader, not of what was read
	buf     []byte // the window: what was read and isn't done with, up to end
	from    int    // in it, where the part begins
	to      int    // and where it ends
	end     int
	lines   int // up to counted, from 1
	counted int
	named   int    // how many bytes of the last tag are certainly of its name
	open    int    // how long the name is whose end is the next one, as far as anybody knows
	latin   bool   // what is read is ISO 8859-1
	raw     []byte // of that, what isn't in the window yet
	spare   []byte // for it
}

// part is what a piece of the file is.
type part int

const (
	partText  part = iota + 1 // up to the next <
	partCData                 // without its brackets
	partOpen                  // <a b="c"> or <a/>
	partClose                 // </a>
	partInstruction
	partDirective
	partComment
)

var (
	errTooLarge  = errors.New("it is too large")
	errToken     = errors.New("a part of it is too large")
	errEntity    = errors.New("it has an entity of its own")
	errEncoding  = errors.New("its encoding is not UTF-8, US-ASCII or ISO-8859-1")
	errMalformed = errors.New("it is not well-formed XML")
	errTruncated = errors.New("it ends before it is complete")
)

const window = maxToken + 32<<10

func newScanner(r io.Reader, limit int64) *scanner {
	return &scanner{in: r, left: limit, buf: make([]byte, window), lines: 1}
}

// more reads on. What stands before the part that is begun leaves the window.
func (s *scanner) more() error {
	if s.end-s.from > maxToken {
		return errToken
	}
	if s.from > 0 && len(s.buf)-s.end < 16<<10 {
		s.lines += bytes.Count(s.buf[s.counted:s.from], newline)
		s.end, s.to = copy(s.buf, s.buf[s.from:s.end]), s.to-s.from
		s.from, s.counted = 0, 0
	}
	if !s.latin {
		n, err := s.read(s.buf[s.end:])
		s.end += n
		return err
	}
	if len(s.raw) == 0 {
		n, err := s.read(s.spare)
		if err != nil {
			return err
		}
		s.raw = s.spare[:n]
	}
	for len(s.raw) > 0 && len(s.buf)-s.end >= 2 {
		s.end += utf8.EncodeRune(s.buf[s.end:], rune(s.raw[0]))
		s.raw = s.raw[1:]
	}
	return nil
}

func (s *scanner) read(p []byte) (int, error) {
	if s.left <= 0 {
		return 0, errTooLarge
	}
	for range 100 {
		n, err := s.in.Read(p[:min(int64(len(p)), s.left)])
		s.left -= int64(n)
		if n > 0 {
			return n, nil
		}
		if err != nil {
			if err != io.EOF {
				s.failed = err
			}
			return 0, err
		}
	}
	s.failed = io.ErrNoProgress
	return 0, s.failed
}

var newline = []byte{'\n'}

// line is that of the end of the part.
func (s *scanner) line() int {
	s.lines += bytes.Count(s.buf[s.counted:s.to], newline)
	s.counted = s.to
	return s.lines
}

// next goes to the next part and returns it. io.EOF comes between two parts only.
func (s *scanner) next() (part, []byte, error) {
	s.from = s.to
	if s.from == s.end {
		if err := s.more(); err != nil {
			return 0, nil, err
		}
	}
	if s.buf[s.from] != '<' {
		return s.text()
	}
	b, err := s.at(1)
	if err != nil {
		return 0, nil, err
	}
	switch b {
	case '?':
		return s.closed(partInstruction, 2, "?>")
	case '!':
		return s.declared()
	case '/':
		if i := s.from + 2 + s.open; i < s.end && s.buf[i] == '>' { // a bracket before it would be in no name: it is refused either way
			return s.cut(partClose, 2, s.open+3, 1)
		}
		return s.closed(partClose, 2, ">")
	}
	return s.tag()
}

// at is the byte so many behind the part's begin.
func (s *scanner) at(n int) (byte, error) {
	for s.from+n >= s.end {
		if err := s.within(); err != nil {
			return 0, err
		}
	}
	return s.buf[s.from+n], nil
}

// within reads on inside a part that has to have an end.
func (s *scanner) within() error {
	err := s.more()
	if err == io.EOF {
		s.to = s.end
		return errTruncated
	}
	return err
}

func (s *scanner) text() (part, []byte, error) {
	for n := 0; ; {
		if i := bytes.IndexByte(s.buf[s.from+n:s.end], '<'); i >= 0 {
			return s.cut(partText, 0, n+i, 0)
		}
		n = s.end - s.from
		if err := s.more(); err == io.EOF {
			return s.cut(partText, 0, n, 0)
		} else if err != nil {
			return 0, nil, err
		}
	}
}

// cut ends the part so many bytes behind its begin, without its brackets.
func (s *scanner) cut(p part, head, n, tail int) (part, []byte, error) {
	if s.to = s.from + n; n > maxToken {
		return 0, nil, errToken
	}
	return p, s.buf[s.from+head : s.to-tail], nil
}

// closed is a part that goes up to a bracket of its own, wherever that stands.
func (s *scanner) closed(p part, head int, bracket string) (part, []byte, error) {
	for n := head; ; {
		if i := bytes.Index(s.buf[min(s.from+n, s.end):s.end], []byte(bracket)); i >= 0 {
			return s.cut(p, head, n+i+len(bracket), len(bracket))
		}
		n = max(head, s.end-s.from-len(bracket)+1)
		if err := s.within(); err != nil {
			return 0, nil, err
		}
	}
}

// declared is a comment, a CDATA section, or a directive.
func (s *scanner) declared() (part, []byte, error) {
	for _, kind := range []struct {
		open  string
		part  part
		close string
	}{{"<!--", partComment, "--"}, {"<![CDATA[", partCData, "]]>"}} {
		same := true
		for i := 2; same && i < len(kind.open); i++ {
			b, err := s.at(i)
			if err != nil {
				return 0, nil, err
			}
			same = b == kind.open[i]
		}
		if !same {
			continue
		}
		p, body, err := s.closed(kind.part, len(kind.open), kind.close)
		if err != nil || p == partCData {
			return p, body, err
		}
		b, err := s.at(s.to - s.from)
		if err == nil && b != '>' { // -- is the comment's end, or no comment
			err = errMalformed
		}
		s.to++
		return p, nil, err
	}
	return partDirective, nil, nil
}

// tag goes up to the > that stands outside of quotes.
func (s *scanner) tag() (part, []byte, error) {
	quote := byte(0)
	n := 1
	for s.from+n < s.end && classes[s.buf[s.from+n]]&isName != 0 { // most tags are a name
		n++
	}
	s.named = n - 1
	for ; ; n++ {
		if s.from+n == s.end {
			if err := s.within(); err != nil {
				return 0, nil, err
			}
		}
		switch b := s.buf[s.from+n]; {
		case b == '<':
			return 0, nil, errMalformed
		case b == quote:
			quote = 0
		case quote != 0:
		case b == '>':
			return s.cut(partOpen, 1, n+1, 1)
		case b == '"' || b == '\'':
			quote = b
		}
	}
}

// recode reads what follows as another encoding. A file has one: another one
// later on is refused.
func (s *scanner) recode(latin, first bool) error {
	switch {
	case latin == s.latin:
		return nil
	case !first:
		return errEncoding
	}
	s.latin, s.raw, s.spare = true, bytes.Clone(s.buf[s.to:s.end]), make([]byte, 4<<10)
	s.end = s.to
	return nil
}
