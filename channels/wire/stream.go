package wire

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"paysaga/domain/fault"
)

// Stream makes one call and hands out the answer while it arrives, up to limit bytes, for statements, which are larger
// than any other answer. The context alone bounds its time, except that the headers have to come within the client's
// time-out. Only a 200 is streamed; what Do lets pass beside it is Unknown. A body that is cut or too large ends in an
// Unknown error instead of io.EOF. The caller closes it.
func (c *Client) Stream(ctx context.Context, req *http.Request, limit int64) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	late := time.AfterFunc(c.rt.timeout, cancel)
	res, err := c.rt.send(ctx, req.WithContext(ctx))
	if !late.Stop() && err == nil {
		res.Body.Close()
		err = fault.Unknown("channel_answer_lost", "the channel's answer was lost: timeout", nil)
	}
	if err != nil {
		cancel()
		return nil, err
	}
	if res.StatusCode == http.StatusOK {
		return &stream{ctx: ctx, body: res.Body, left: limit, cancel: cancel}, nil
	}
	defer cancel()
	if res, err = c.rt.finish(ctx, res); err != nil {
		return nil, err
	}
	return nil, fault.Unknown("channel_answer_unreadable", "the channel answered "+strconv.Itoa(res.StatusCode), nil)
}

type stream struct {
	ctx    context.Context
	body   io.ReadCloser
	left   int64
	cancel context.CancelFunc
}

func (s *stream) Read(p []byte) (int, error) {
	if int64(len(p)) > s.left+1 {
		p = p[:s.left+1]
	}
	n, err := s.body.Read(p)
	if s.left -= int64(n); s.left < 0 {
		return 0, fault.Unknown("channel_answer_too_large", "the channel's answer is too large", nil)
	}
	if err != nil && err != io.EOF {
		err = fault.Unknown("channel_answer_lost", "the channel's answer was cut: "+cause(s.ctx, err), err)
	}
	return n, err
}

func (s *stream) Close() error {
	s.cancel()
	return s.body.Close()
}
