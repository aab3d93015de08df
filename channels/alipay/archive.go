package alipay

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"strings"

	"golang.org/x/text/encoding/simplifiedchinese"

	"paysaga/domain/fault"
	"paysaga/domain/reconcile"
)

// archive reads a bill's zip from its beginning to its end, in constant memory. A zip's table of contents stands at its
// end, so it is usually read with random access; a bill may be larger than memory, and an adapter touches no files. Each
// entry also stands behind a header of its own, and deflate says where it ends: so the entries are read as they come, and
// the table of contents is then held against what was read. A file in which the two differ, the trap of every reader that
// believes one of them, is refused.
type archive struct {
	f       reconcile.File
	in      *counted
	entries []entry
	open    *unpacked
}

type entry struct {
	name         string // raw bytes
	method       uint16
	crc          uint32
	packed, size int64
	at           int64
}

const (
	maxEntries  = 8
	maxName     = 255
	maxUnpacked = 16 << 30 // some forty million lines
	// A bill shrinks to a tenth or so. What grows by more than maxRatio, beyond a first megabyte, is a bomb.
	maxRatio = 100
	spared   = 1 << 20
)

const (
	sigLocal      = 0x04034b50
	sigDescriptor = 0x08074b50
	sigCentral    = 0x02014b50
	sigEnd        = 0x06054b50
)

// counted is a buffered reader that knows where it is.
type counted struct {
	*bufio.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *counted) ReadByte() (byte, error) {
	b, err := c.Reader.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

// take reads exactly n bytes.
func (c *counted) take(n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(c, b)
	return b, err
}

// broken turns an error of reading into one of the file; what the source of the bytes said stays as it is.
func (a *archive) broken(err error) error {
	var f *fault.Error
	var bad flate.CorruptInputError
	switch {
	case errors.As(err, &f):
		return err
	case err == io.EOF, errors.Is(err, io.ErrUnexpectedEOF):
		return a.f.Broken(0, "the zip ends too early")
	case errors.As(err, &bad):
		return a.f.Broken(0, "the zip can't be unpacked")
	}
	return err
}

// next opens the next entry; io.EOF after the last one, once the table of contents has been checked.
func (a *archive) next() (name string, content io.Reader, err error) {
	if a.open != nil {
		if _, err := io.Copy(io.Discard, a.open); err != nil {
			return "", nil, err
		}
		a.open = nil
	}
	at := a.in.n
	sig, err := a.in.take(4)
	if err != nil {
		return "", nil, a.broken(err)
	}
	switch binary.LittleEndian.Uint32(sig) {
	case sigLocal:
	case sigCentral:
		if err := a.contents(at); err != nil {
			return "", nil, err
		}
		return "", nil, io.EOF
	default:
		return "", nil, a.f.Broken(0, "the zip holds something else than files")
	}
	return a.enter(at)
}

// enter reads the header of an entry.
func (a *archive) enter(at int64) (string, io.Reader, error) {
	h, err := a.in.take(26)
	if err != nil {
		return "", nil, a.broken(err)
	}
	word := func(i int) uint16 { return binary.LittleEndian.Uint16(h[i:]) }
	long := func(i int) int64 { return int64(binary.LittleEndian.Uint32(h[i:])) }
	flags, e := word(2), entry{method: word(4), crc: uint32(long(10)), packed: long(14), size: long(18), at: at}
	streamed := flags&8 != 0
	switch {
	case len(a.entries) == maxEntries:
		return "", nil, a.f.Broken(0, "the zip holds too many files")
	case flags&0x2041 != 0: // encrypted, in one of three ways
		return "", nil, a.f.Broken(0, "the zip is encrypted")
	case e.method != 0 && e.method != 8:
		return "", nil, a.f.Broken(0, "the zip is packed in a way that bills aren't")
	case e.method == 0 && streamed:
		return "", nil, a.f.Broken(0, "the zip doesn't say where a file ends")
	case e.packed == 0xffffffff || e.size == 0xffffffff:
		return "", nil, a.f.Broken(0, "the zip is of the kind for files beyond 4 GB")
	case word(22) == 0 || word(22) > maxName:
		return "", nil, a.f.Broken(0, "the zip holds a file without a name, or with an absurd one")
	}
	name, err := a.in.take(int(word(22)))
	if err == nil {
		_, err = a.in.take(int(word(24))) // what extends the header isn't needed
	}
	if err != nil {
		return "", nil, a.broken(err)
	}
	e.name = string(name)
	text, ok := decodeName(name, flags&0x800 != 0)
	if !ok {
		return "", nil, a.f.Broken(0, "the zip holds a file whose name can't be read")
	}
	a.open = &unpacked{a: a, e: e, streamed: streamed, from: a.in.n, sum: crc32.NewIEEE()}
	a.open.start()
	return text, a.open, nil
}

// decodeName reads a name in GBK, or in UTF-8 if the zip says so. One that names a folder or another zip is no bill's.
func decodeName(raw []byte, utf8 bool) (string, bool) {
	if !utf8 {
		if !gbk(raw) {
			return "", false
		}
		var err error
		if raw, err = simplifiedchinese.GB18030.NewDecoder().Bytes(raw); err != nil {
			return "", false
		}
	}
	name := string(raw)
	return name, strings.HasSuffix(strings.ToLower(name), ".csv") && !strings.ContainsAny(name, "/\\:\x00\ufffd")
}

// unpacked is the content of one entry.
type unpacked struct {
	a        *archive
	e        entry
	streamed bool
	from     int64
	n        int64
	sum      hash.Hash32
	r        io.Reader
	over     error
}

func (u *unpacked) start() {
	if u.e.method == 0 {
		u.r = io.LimitReader(u.a.in, u.e.packed)
		return
	}
	u.r = flate.NewReader(u.a.in) // it reads no byte beyond its end, since counted hands out single ones
}

func (u *unpacked) Read(p []byte) (int, error) {
	if u.over != nil {
		return 0, u.over
	}
	n, err := u.r.Read(p)
	u.n += int64(n)
	u.sum.Write(p[:n])
	if u.n > spared+maxRatio*(u.a.in.n-u.from) || u.n > maxUnpacked {
		u.over = u.a.f.Broken(0, "the zip unpacks to far more than a bill: it is a bomb")
		return 0, u.over
	}
	switch {
	case err == io.EOF:
		if u.over = u.end(); u.over == nil {
			u.over = io.EOF
		}
		return n, u.over
	case err != nil:
		u.over = u.a.broken(err)
		return 0, u.over
	}
	return n, nil
}

// end holds what was read against what is said of it.
func (u *unpacked) end() error {
	packed := u.a.in.n - u.from
	if u.streamed {
		d, err := u.a.in.take(12)
		if err == nil && binary.LittleEndian.Uint32(d) == sigDescriptor {
			var rest []byte
			rest, err = u.a.in.take(4)
			d = append(d[4:], rest...)
		}
		if err != nil {
			return u.a.broken(err)
		}
		u.e.crc = binary.LittleEndian.Uint32(d)
		u.e.packed, u.e.size = int64(binary.LittleEndian.Uint32(d[4:])), int64(binary.LittleEndian.Uint32(d[8:]))
	}
	if u.e.packed != packed || u.e.size != u.n || u.e.crc != u.sum.Sum32() {
		return u.a.f.Broken(0, "a file in the zip isn't what the zip says: it is damaged")
	}
	u.a.entries = append(u.a.entries, u.e)
	u.a.open = nil
	return nil
}

// contents reads the table at the end; the first signature has been taken. at is where the table begins.
func (a *archive) contents(at int64) error {
	differs := a.f.Broken(0, "the zip's table of contents differs from what it holds")
	for i := 0; ; i++ {
		h, err := a.in.take(42)
		if err != nil {
			return a.broken(err)
		}
		long := func(i int) int64 { return int64(binary.LittleEndian.Uint32(h[i:])) }
		name, err := a.in.take(int(binary.LittleEndian.Uint16(h[24:])))
		if err == nil {
			_, err = a.in.take(int(binary.LittleEndian.Uint16(h[26:])) + int(binary.LittleEndian.Uint16(h[28:])))
		}
		if err != nil {
			return a.broken(err)
		}
		listed := entry{name: string(name), method: binary.LittleEndian.Uint16(h[6:]), crc: uint32(long(12)), packed: long(16), size: long(20), at: long(38)}
		if i >= len(a.entries) || listed != a.entries[i] {
			return differs
		}
		size := a.in.n - at
		sig, err := a.in.take(4)
		if err != nil {
			return a.broken(err)
		}
		switch binary.LittleEndian.Uint32(sig) {
		case sigCentral:
			continue
		case sigEnd:
			return a.last(i+1, at, size)
		}
		return differs
	}
}

// last reads the record after the table, and requires that nothing follows.
func (a *archive) last(listed int, at, size int64) error {
	h, err := a.in.take(18)
	if err != nil {
		return a.broken(err)
	}
	n := int(binary.LittleEndian.Uint16(h[6:]))
	if listed != len(a.entries) || n != listed || !bytes.Equal(h[4:6], h[6:8]) || !bytes.Equal(h[:4], make([]byte, 4)) ||
		int64(binary.LittleEndian.Uint32(h[8:])) != size || int64(binary.LittleEndian.Uint32(h[12:])) != at {
		return a.f.Broken(0, "the zip's table of contents differs from what it holds")
	}
	if _, err := a.in.take(int(binary.LittleEndian.Uint16(h[16:]))); err != nil {
		return a.broken(err)
	}
	switch _, err := a.in.ReadByte(); {
	case err == nil:
		return a.f.Broken(0, "something follows the zip")
	case err != io.EOF:
		return a.broken(err)
	}
	return nil
}
