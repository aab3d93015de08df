package sandbox

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"paysaga/channels"
)

// maxStatement bounds a day's statement: some ten million lines.
const maxStatement = 2 << 30

// Statement streams one day of UTC as CSV; the server's StatementHeader names the columns. Its end is checked: without
// the last line "end,<rows>" reading ends in an Unknown error, never in io.EOF.
func (ch *Channel) Statement(ctx context.Context, a channels.Account, r channels.StatementRequest) (io.ReadCloser, error) {
	req, err := request(ctx, a, http.MethodGet, "/v1/statements/"+r.Day.UTC().Format(time.DateOnly), nil)
	if err != nil {
		return nil, err
	}
	body, err := ch.wire.Stream(ctx, req, maxStatement)
	if err != nil {
		return nil, err
	}
	return &statement{body: body}, nil
}

// statement remembers the line that it is in, as far as that takes to know the last one.
type statement struct {
	body io.ReadCloser
	tail []byte // of the last line that is complete or begun
}

func (s *statement) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	s.see(p[:n])
	if err == io.EOF && !(bytes.HasPrefix(s.tail, []byte("end,")) && bytes.HasSuffix(s.tail, []byte("\n"))) {
		return n, unreadable("a statement that is cut")
	}
	return n, err
}

func (s *statement) see(p []byte) {
	if len(p) == 0 {
		return
	}
	if i := bytes.LastIndexByte(p[:len(p)-1], '\n'); i >= 0 {
		s.tail, p = s.tail[:0], p[i+1:]
	} else if bytes.HasSuffix(s.tail, []byte("\n")) {
		s.tail = s.tail[:0]
	}
	if len(s.tail) < 64 {
		s.tail = append(s.tail, p[:min(len(p), 64)]...)
	}
	if p[len(p)-1] == '\n' && s.tail[len(s.tail)-1] != '\n' {
		s.tail = append(s.tail, '\n')
	}
}

func (s *statement) Close() error { return s.body.Close() }
