package alipay

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"paysaga/domain/fault"
	"paysaga/domain/reconcile"
)

// maxLine bounds a line of a bill; usual ones have some 400 bytes.
const maxLine = 64 << 10

// lines reads a bill in GB18030 line by line. In it no byte of a character of several bytes is a comma, a quotation mark, a
// tab or an end of line, so lines and cells are cut before anything is decoded; a character that is cut short, and would
// swallow what comes behind it in a careless decoder, is refused.
type lines struct {
	f   reconcile.File
	in  *bufio.Reader
	row int
}

// next is the next line without its end; io.EOF after the last.
func (l *lines) next() ([]byte, error) {
	line, err := l.in.ReadSlice('\n')
	l.row++
	var f *fault.Error
	switch {
	case err == io.EOF && len(line) == 0:
		return nil, io.EOF
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, l.broken("the line is longer than any of a bill's")
	case errors.As(err, &f):
		return nil, err
	case err == io.EOF:
		return nil, l.broken("the line has no end: the file is cut")
	case err != nil:
		return nil, err
	}
	line = bytes.TrimSuffix(line[:len(line)-1], []byte("\r"))
	if !gbk(line) {
		return nil, l.broken("the line isn't in GB18030: the file is damaged, or was written anew in another encoding")
	}
	return line, nil
}

func (l *lines) broken(reason string) error { return l.f.Broken(l.row, reason) }

// gbk says whether text is whole characters of GB18030, and no control characters but tabs.
func gbk(text []byte) bool {
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c >= ' ' && c < 0x7f || c == '\t':
			i++
			continue
		case c < 0x81 || c == 0xff || i+1 >= len(text):
			return false
		}
		switch d := text[i+1]; {
		case d >= 0x40 && d != 0x7f && d != 0xff:
			i += 2
		case d >= '0' && d <= '9' && i+3 < len(text) && text[i+2] >= 0x81 && text[i+2] != 0xff && text[i+3] >= '0' && text[i+3] <= '9':
			i += 4
		default:
			return false
		}
	}
	return true
}

// utf8 decodes what gbk has let pass.
func utf8(text []byte) string {
	out, err := simplifiedchinese.GB18030.NewDecoder().Bytes(text)
	if err != nil {
		return ""
	}
	return string(out)
}

// encoded is a word of ours as bills have it.
func encoded(word string) []byte {
	out, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(word))
	if err != nil {
		panic(err) // every word is a constant
	}
	return out
}

// cells cuts a line into the cells of a table, without the tabs and spaces that keep ids from being numbers, and says
// whether there are as many as that. A cell in quotation marks may hold commas.
func cells(line []byte, into [][]byte) bool {
	for i := range into {
		last := i == len(into)-1
		if len(line) > 0 && line[0] == '"' {
			end := quoted(line)
			if end < 0 {
				return false
			}
			into[i], line = bytes.ReplaceAll(line[1:end], []byte(`""`), []byte(`"`)), line[end+1:]
			line = bytes.TrimLeft(line, "\t ")
			if last {
				return len(line) == 0
			}
			if len(line) == 0 || line[0] != ',' {
				return false
			}
			line = line[1:]
			continue
		}
		cut := bytes.IndexByte(line, ',')
		if last != (cut < 0) {
			return false
		}
		if last {
			cut = len(line)
		}
		into[i] = trim(line[:cut])
		if !last {
			line = line[cut+1:]
		}
	}
	return true
}

// quoted finds the mark that ends the cell at the beginning of a line, or -1.
func quoted(line []byte) int {
	for i := 1; i < len(line); i++ {
		switch {
		case line[i] != '"':
		case i+1 < len(line) && line[i+1] == '"':
			i++
		default:
			return i
		}
	}
	return -1
}

func trim(cell []byte) []byte {
	for len(cell) > 0 && (cell[len(cell)-1] == '\t' || cell[len(cell)-1] == ' ') {
		cell = cell[:len(cell)-1]
	}
	for len(cell) > 0 && (cell[0] == '\t' || cell[0] == ' ') {
		cell = cell[1:]
	}
	return cell
}

// fen reads an amount of yuan with an optional sign, in minor units. The empty cell is nothing.
func fen(cell []byte) (int64, bool) {
	if len(cell) == 0 {
		return 0, true
	}
	negative := cell[0] == '-'
	if negative || cell[0] == '+' {
		cell = cell[1:]
	}
	var n int64
	decimals, digits := -1, 0
	for _, c := range cell {
		switch {
		case c == '.' && decimals < 0 && digits > 0:
			decimals = 0
		case c < '0' || c > '9' || decimals == 2 || digits == 15:
			return 0, false
		default:
			n = n*10 + int64(c-'0')
			if decimals >= 0 {
				decimals++
			} else {
				digits++
			}
		}
	}
	switch {
	case digits == 0 || decimals == 0:
		return 0, false
	case decimals < 0:
		n *= 100
	case decimals == 1:
		n *= 10
	}
	if negative {
		n = -n
	}
	return n, true
}

// instant reads "2006-01-02 15:04:05" of China.
func instant(cell []byte) (time.Time, bool) {
	if len(cell) != len(stamp) || cell[4] != '-' || cell[7] != '-' || cell[10] != ' ' || cell[13] != ':' || cell[16] != ':' {
		return time.Time{}, false
	}
	number := func(from, to int) int {
		n := 0
		for _, c := range cell[from:to] {
			if c < '0' || c > '9' {
				return -1 << 20
			}
			n = n*10 + int(c-'0')
		}
		return n
	}
	year, month, day, hour, minute, second := number(0, 4), number(5, 7), number(8, 10), number(11, 13), number(14, 16), number(17, 19)
	if year < 2000 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, zone)
	return t, t.Day() == day && t.Month() == time.Month(month) && t.Year() == year
}
