package wechatpay

import (
	"context"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"paysaga/channels"
	"paysaga/domain/fault"
)

// maxStatement bounds a day's statement: more than ten million lines.
const maxStatement = 8 << 30

// Statement streams a bill as WeChat keeps it, of the day as its own zone has it. Bills are ready from ten in the morning
// after, and for three months. Its end is checked: reading ends in io.EOF only if what was read has the hash that
// WeChat's signed answer said; the download itself isn't signed.
func (ch *Channel) Statement(ctx context.Context, a channels.Account, r channels.StatementRequest) (io.ReadCloser, error) {
	s, err := ch.session(a, ch.now())
	if err != nil {
		return nil, err
	}
	day := url.QueryEscape(r.Day.Format(time.DateOnly))
	path := "/v3/bill/tradebill?bill_date=" + day + "&bill_type=ALL"
	switch r.Kind {
	case Trade:
	case FundFlow:
		path = "/v3/bill/fundflowbill?bill_date=" + day + "&account_type=BASIC"
	default:
		return nil, fault.Invalid("statement_unknown", "kind", "WeChat Pay has no such kind of statement")
	}
	res, err := s.call(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	sum, from, err := res.bill()
	if err != nil {
		return nil, err
	}
	req, err := s.request(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	body, err := s.wire.Stream(ctx, req, maxStatement)
	if err != nil {
		return nil, err
	}
	return &hashed{body: body, want: sum, sum: sha1.New()}, nil
}

// bill reads where a bill can be fetched, and its hash. Only the path of the address is taken: the host is the account's.
func (a answer) bill() (sum []byte, path string, err error) {
	switch a.refused() {
	case "NOSTATEMENTEXIST":
		return nil, "", fault.NotFound("statement of that day")
	case "STATEMENTCREATING":
		return nil, "", fault.Unavailable("statement_not_ready", "WeChat Pay is still writing the bill: it is there from ten in the morning", nil)
	}
	if a.Status >= 400 {
		_, err := a.refusal()
		return nil, "", err
	}
	var b struct {
		Type  string `json:"hash_type"`
		Value string `json:"hash_value"`
		URL   string `json:"download_url"`
	}
	if json.Unmarshal(a.Body, &b) != nil {
		return nil, "", unreadable("something that isn't a bill")
	}
	sum, err = hex.DecodeString(b.Value)
	u, urlErr := url.Parse(b.URL)
	if err != nil || urlErr != nil || b.Type != "SHA1" || len(sum) != sha1.Size || !strings.HasPrefix(u.Path, "/v3/billdownload/") {
		return nil, "", unreadable("a bill without its address and its hash")
	}
	return sum, u.RequestURI(), nil
}

// hashed is a download that has to have a hash.
type hashed struct {
	body io.ReadCloser
	want []byte
	sum  hash.Hash
}

func (h *hashed) Read(p []byte) (int, error) {
	n, err := h.body.Read(p)
	_, _ = h.sum.Write(p[:n])
	if err == io.EOF && subtle.ConstantTimeCompare(h.sum.Sum(nil), h.want) != 1 {
		return n, unreadable("a bill that isn't the one it announced")
	}
	return n, err
}

func (h *hashed) Close() error { return h.body.Close() }
