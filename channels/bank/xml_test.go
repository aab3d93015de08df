package bank

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// eventsOf is what a document's reader tells: each begin with its currency, each end with its text.
func eventsOf(r io.Reader) (list []string, err error) {
	d := read(r, 1<<20)
	err = d.each(func(e event) error {
		if e == begin {
			list = append(list, fmt.Sprintf("%s %q", d.path, d.attr))
		} else {
			list = append(list, fmt.Sprintf("/%s %q", d.path, d.value()))
		}
		return nil
	})
	return list, err
}

// eventsOfLibrary is the same as encoding/xml tells it, namespaces and all.
func eventsOfLibrary(r io.Reader) (list []string, err error) {
	dec := xml.NewDecoder(r)
	dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) {
		raw, err := io.ReadAll(r)
		runes := make([]rune, len(raw))
		for i, b := range raw {
			runes[i] = rune(b)
		}
		return strings.NewReader(string(runes)), err
	}
	var path []string
	space, foreign, text := "", 0, ""
	for {
		t, err := dec.Token()
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return list, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			path, text = append(path, t.Name.Local), ""
			if len(path) == 1 {
				space = t.Name.Space
			}
			if foreign == 0 && t.Name.Space != space {
				foreign = len(path)
			}
			if foreign > 0 {
				path[len(path)-1] = "?" + t.Name.Local
			}
			currency := ""
			for _, a := range t.Attr {
				if a.Name == (xml.Name{Local: "Ccy"}) {
					currency = a.Value
				}
			}
			list = append(list, fmt.Sprintf("/%s %q", strings.Join(path, "/"), currency))
		case xml.EndElement:
			list = append(list, fmt.Sprintf("//%s %q", strings.Join(path, "/"), strings.TrimSpace(text)))
			if foreign == len(path) {
				foreign = 0
			}
			path, text = path[:len(path)-1], ""
		case xml.CharData:
			text += string(t)
		}
	}
}

func differ(ours, theirs []string) string {
	for i := range max(len(ours), len(theirs)) {
		if i >= len(ours) || i >= len(theirs) || ours[i] != theirs[i] {
			return fmt.Sprintf("event %d: we hear %v, encoding/xml %v", i, ours[min(i, len(ours)):min(i+1, len(ours))], theirs[min(i, len(theirs)):min(i+1, len(theirs))])
		}
	}
	return ""
}

// scribe writes documents in every way in which XML lets the same be written.
type scribe struct {
	*rand.Rand
	bytes.Buffer
	latin bool
}

func (s *scribe) one(of ...string) string { return of[s.IntN(len(of))] }

func (s *scribe) document() []byte {
	s.latin = s.IntN(4) == 0
	if s.latin {
		s.WriteString("<?xml version=\"1.0\" encoding='ISO-8859-1' standalone=\"yes\"?>")
	} else {
		s.WriteString(s.one("", "\ufeff", "<?xml version='1.0'?>", "\ufeff<?xml  version = \"1.0\"\tencoding=\"utf-8\" ?>\r\n", "<!-- first -->\n"))
	}
	s.element("", 0)
	s.WriteString(s.one("", "\n", "<!--\r\n-->", " \t"))
	return s.Bytes()
}

func (s *scribe) element(within string, depth int) {
	prefix := s.one(within, within, within, "", "p:", "q:")
	name := prefix + s.one("Ntry", "Amt", "a", "_x", "A-1.b", "Sts")
	s.WriteString("<" + name)
	for _, a := range s.Perm(6)[:s.IntN(4)] {
		key := []string{"Ccy", "xmlns", "xmlns:p", "xmlns:q", "b", "p:Ccy"}[a]
		quote := s.one("'", "\"")
		s.WriteString(s.one(" ", "\n", "\t ") + key + s.one("=", " = ", "=\r\n") + quote)
		if strings.HasPrefix(key, "xmlns") {
			s.WriteString(s.one("urn:1", "urn:2", "urn:&#49;"))
		} else {
			s.text(s.IntN(8), quote)
		}
		s.WriteString(quote)
	}
	s.WriteString(s.one("", " ", "\n"))
	if s.IntN(8) == 0 {
		s.WriteString("/>")
		return
	}
	s.WriteString(">")
	if s.IntN(400) == 0 { // before an element's text there may be any amount of space
		s.WriteString(strings.Repeat(s.one(" ", "\n", "\t\r\n"), 3*maxText))
	}
	for range s.IntN(5) {
		switch n := s.IntN(9); {
		case n == 0:
			s.WriteString("<!--" + s.one("", " <a> & ", "-", "é") + " -->")
		case n == 1:
			s.WriteString("<![CDATA[" + s.one("", "<a>&amp;", "]]", "]", "> \r\n") + "]]>")
		case n < 6 && depth < maxDepth-1:
			s.element(prefix, depth+1)
		default:
			s.text(s.IntN(40), "")
		}
	}
	s.WriteString("</" + name + s.one("", " ", "\r\n") + ">")
}

// text has each kind of character, as itself or as a reference.
func (s *scribe) text(n int, quote string) {
	for range n {
		c := s.one("a", "B", "7", ".", " ", "\n", "\r\n", "\r", "\t", "]", "&lt;", "&gt;", "&amp;", "&quot;", "&apos;", "&#65;", "&#x20AC;", "&#xd;", "é", "\u007f", "\u0085", "€", "绿", "𝄞")
		if s.latin && utf8.RuneCountInString(c) < len(c) {
			c = "\xe9"
		}
		s.WriteString(c)
	}
	if quote != "" {
		s.WriteString(s.one("", ">", "]]>", map[string]string{"'": "\"", "\"": "'"}[quote]))
	}
}

// Random documents, well-formed and written in all ways, are heard as encoding/xml hears them, however the bytes come in; and cut
// short or hurt they are never believed where it doesn't believe them.
func TestDocumentsAreHeardAsTheLibraryHearsThem(t *testing.T) {
	t.Parallel()
	const seed = 20261122
	random := rand.New(rand.NewPCG(seed, 1))
	events := 0
	for n := range 4000 {
		s := &scribe{Rand: random}
		content := s.document()
		theirs, err := eventsOfLibrary(bytes.NewReader(content))
		require.NoError(t, err, "seed %d, document %d: %q", seed, n, content)
		var r io.Reader = bytes.NewReader(content)
		if n%3 == 0 {
			r = iotest.OneByteReader(r)
		}
		ours, err := eventsOf(r)
		if n%200 == 0 {
			t.Logf("%d bytes, %d events", len(content), len(ours))
		}
		require.NoError(t, err, "seed %d, document %d: %q", seed, n, content)
		require.Empty(t, differ(ours, theirs), "seed %d, document %d: %q", seed, n, content)
		events += len(ours)

		hurt := bytes.Clone(content)
		for range 1 + random.IntN(3) {
			at := random.IntN(len(hurt))
			switch random.IntN(3) {
			case 0:
				hurt = hurt[:at+1]
			case 1:
				hurt[at] = "<>&'\"/ ]-!?x\x00\xff\r"[random.IntN(15)]
			default:
				hurt = append(hurt[:at], hurt[at+1:]...)
			}
			if len(hurt) == 0 {
				break
			}
		}
		ours, err = eventsOf(bytes.NewReader(hurt))
		if err == nil {
			theirs, err = eventsOfLibrary(bytes.NewReader(hurt))
			require.NoError(t, err, "seed %d, document %d, hurt: %q", seed, n, hurt)
			require.Empty(t, differ(ours, theirs), "seed %d, document %d, hurt: %q", seed, n, hurt)
			continue
		}
		var bad *flaw
		require.ErrorAs(t, err, &bad)
	}
	require.Greater(t, events, 20000)
}

// Where a window ends, nothing changes: a document whose parts lie across all places of it.
func TestPartsLieAcrossTheWindow(t *testing.T) {
	t.Parallel()
	for _, latin := range []bool{false, true} {
		var b strings.Builder
		if latin {
			b.WriteString("<?xml version='1.0' encoding='ISO-8859-1'?>")
		}
		b.WriteString("<a>")
		for i := range 9000 {
			fmt.Fprintf(&b, "<b Ccy='%d'>%d<!-- %s --></b>\n<c><![CDATA[%d]]></c>", i, i, strings.Repeat("x", i%29), i)
		}
		b.WriteString("</a>")
		ours, err := eventsOf(iotest.HalfReader(strings.NewReader(b.String())))
		require.NoError(t, err)
		theirs, err := eventsOfLibrary(strings.NewReader(b.String()))
		require.NoError(t, err)
		require.Empty(t, differ(ours, theirs))
	}
}

// What grows without end is refused while it is read, and at its line.
func TestPartsHaveAMeasure(t *testing.T) {
	t.Parallel()
	for begin, again := range map[string]string{"<a>\n<!--": " ", "<a>\n<b c='": "x", "<a>\n<": "b", "<a>\n</": "b", "<a>\n<?": "x", "<a>\n<![CDATA[": "x", "<a>\n&": "#",
		"<a>\n": "\t", "<a>\n<b ": "c='' "} {
		r := &endless{rest: begin, again: strings.Repeat(again, 100)}
		_, err := eventsOf(r)
		var bad *flaw
		require.ErrorAs(t, err, &bad, begin)
		require.Contains(t, []string{"a part of it is too large", "a text is too long"}, bad.reason, begin)
		require.LessOrEqual(t, bad.line, 2, begin)
		require.Less(t, r.given, 3*maxToken, begin)
	}
	d := read(strings.NewReader(strings.Repeat("<a>", 5)), 9)
	err := d.each(func(event) error { return nil })
	require.ErrorContains(t, err, "it is too large")
	broken := errors.New("the disk is gone")
	_, err = eventsOf(io.MultiReader(strings.NewReader("<a><b"), iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken, "that is no fault of the file")
}

// endless never ends.
type endless struct {
	rest, again string
	given       int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.rest == "" {
		e.rest = e.again
	}
	n := copy(p, e.rest)
	e.rest, e.given = e.rest[n:], e.given+n
	return n, nil
}
