package posting

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"

	"paysaga/domain/money"
)

// overHTTP posts requests of so many journals over connections that are kept
// open. The requests are written beforehand: who asks shares the machine with
// who answers, and is not what is measured.
func (p *place) overHTTP(journals int) func(context.Context, int, int) (measured, error) {
	return func(ctx context.Context, clients, n int) (measured, error) {
		requests := make([][]byte, n)
		counted := make([]sums, n)
		for i := range requests {
			r, err := randomRequest(journals)
			if err != nil {
				return nil, err
			}
			step, err := r.step()
			if err != nil {
				return nil, err
			}
			counted[i].step(step)
			if requests[i], err = r.bytes(); err != nil {
				return nil, err
			}
		}
		return func(ctx context.Context, t clock) (sample, error) {
			s, err := p.store(ctx, usual)
			if err != nil {
				return sample{}, err
			}
			address, stop, err := serve(s)
			if err != nil {
				return sample{}, err
			}
			defer stop()
			conns, err := dial(ctx, address, clients)
			if err != nil {
				return sample{}, err
			}
			found, done, err := drive(ctx, calls{n: n, journals: journals, do: func(_ context.Context, client, i int) error {
				return conns[client].send(requests[i])
			}}, clients, t)
			for _, i := range done {
				p.tally.merge(counted[i])
			}
			for _, c := range conns {
				_ = c.Close()
			}
			return found, err
		}, nil
	}
}

// randomRequest is of random pairs.
func randomRequest(journals int) (request, error) {
	r := request{Journals: make([]jsonJournal, journals)}
	for i := range r.Journals {
		from, to := pair()
		_, cause := newCause()
		r.Journals[i] = jsonJournal{cause, from.Code, to.Code, money.New(amount(), currency).Decimal(), currency}
	}
	r.Cause = r.Journals[0].Cause
	return r, nil
}

func (r request) bytes() ([]byte, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	head := "POST /journals HTTP/1.1\r\nHost: ledger\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n"
	return append([]byte(head), body...), nil
}

// conn is a client's, kept open.
type conn struct {
	net.Conn
	in *bufio.Reader
}

func dial(ctx context.Context, address string, n int) ([]*conn, error) {
	var list []*conn
	for range n {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		list = append(list, &conn{c, bufio.NewReader(c)})
	}
	return list, nil
}

var errAnswer = errors.New("an answer that isn't HTTP as expected")

// send posts one request and reads its whole answer, which has to be a 201.
func (c *conn) send(request []byte) error {
	if _, err := c.Write(request); err != nil {
		return err
	}
	status, err := c.in.ReadSlice('\n')
	if err != nil {
		return err
	}
	created := bytes.HasPrefix(status, []byte("HTTP/1.1 201 "))
	said := string(bytes.TrimSpace(status))
	length := -1
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return errAnswer
			}
		}
	}
	if length < 0 {
		return errAnswer
	}
	if !created {
		body, _ := c.in.Peek(min(length, 200))
		return fmt.Errorf("%s: %s", said, body)
	}
	_, err = c.in.Discard(length)
	return err
}
