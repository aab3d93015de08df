package channeltest

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// spoiler is what the relay does to one request.
type spoiler string

const (
	none        spoiler = ""
	cutBefore   spoiler = "the request is lost"
	hangBefore  spoiler = "the request is held and lost"
	limited     spoiler = "429"
	cutAfter    spoiler = "the answer is lost"
	hangAfter   spoiler = "the answer never comes"
	resetAfter  spoiler = "the connection is reset before the answer"
	halfAnswer  spoiler = "the answer ends half way"
	webPage     spoiler = "the answer is a web page with 200"
	empty       spoiler = "the answer is empty"
	huge        spoiler = "the answer is 10 MB"
	drip        spoiler = "the answer drips"
	badGateway  spoiler = "the answer is a 502 page"
	unavailable spoiler = "the answer is a 503 with Retry-After"
	redirected  spoiler = "the answer is a redirect"
	page404     spoiler = "the answer is a 404 page"
	page400     spoiler = "the answer is a 400 page"
	otherJSON   spoiler = "the answer is another kind of JSON"
	edited      spoiler = "the answer is falsified"
)

// spoilt are the faults that leave it open whether the operation happened.
var spoilt = []spoiler{cutAfter, hangAfter, resetAfter, halfAnswer, webPage, empty, huge, drip, badGateway, unavailable,
	redirected, page404, page400, otherJSON}

// endless are those that a call ends only by giving up.
func endless(f spoiler) bool { return f == hangBefore || f == hangAfter || f == drip }

// relay stands between adapter and server.
type relay struct {
	*httptest.Server
	upstream string
	client   *http.Client
	done     chan struct{}
	aside    func(*http.Request) bool

	absent func() // ends a case that needs a network where there is none

	mu     sync.Mutex
	faults map[string]spoiler // by method: hits the next POST, or every GET until heal
	edit   func(map[string]any)
	sealed func(http.Header, []byte) []byte // signs what was edited
	asks   func(*http.Request, []byte) bool // of a POST
	stuck  func()                           // called when a request has begun to wait for ever
	seen   int
}

func newRelay(t *testing.T, upstream string, aside func(*http.Request) bool) *relay {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	r := &relay{upstream: strings.TrimSuffix(upstream, "/"), done: make(chan struct{}), aside: aside, faults: map[string]spoiler{},
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(func() {
		close(r.done)
		r.CloseClientConnections()
		r.Close()
		transport.CloseIdleConnections()
	})
	return r
}

// next spoils the next POST, or every GET until heal: a question may be sent again when its connection breaks.
func (r *relay) next(method string, f spoiler) {
	if r.absent != nil {
		r.absent()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults[method] = f
}

// heal lets questions through again.
func (r *relay) heal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.faults)
}

// falsify edits the answer to the next POST, or to every GET until heal.
func (r *relay) falsify(method string, edit func(map[string]any)) {
	r.next(method, edited)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.edit = edit
}

// requests counts what came from the adapter.
func (r *relay) requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen
}

// take is the fault that hits a request. Whatever isn't a question counts as a POST.
func (r *relay) take(req *http.Request, body []byte) (spoiler, func(map[string]any)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen++
	if r.aside != nil && r.aside(req) {
		return none, nil
	}
	if req.Method == http.MethodGet || r.asks != nil && r.asks(req, body) {
		return r.faults[http.MethodGet], r.edit
	}
	f := r.faults[http.MethodPost]
	delete(r.faults, http.MethodPost)
	return f, r.edit
}

func (r *relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	f, edit := r.take(req, body)
	switch f {
	case cutBefore:
		panic(http.ErrAbortHandler)
	case hangBefore:
		r.hang(req)
	case limited:
		w.Header().Set("Retry-After", "1")
		http.Error(w, `{"error":{"code":"rate_limited","type":"rate_limit_error"}}`, http.StatusTooManyRequests)
		return
	}
	res, answer := r.forward(req, body)
	if f != none && r.spoil(w, req, f, answer) {
		return
	}
	if f == edited {
		var v map[string]any
		if json.Unmarshal(answer, &v) == nil {
			edit(v)
			answer, _ = json.Marshal(v)
			if r.sealed != nil {
				answer = r.sealed(res.Header, answer)
			}
		}
	}
	for k, v := range res.Header {
		if k != "Content-Length" {
			w.Header()[k] = v
		}
	}
	w.WriteHeader(res.StatusCode)
	_, _ = w.Write(answer)
}

// forward gives the request to the server and waits for the answer even when the adapter has left: what arrived there
// has its effect.
func (r *relay) forward(req *http.Request, body []byte) (*http.Response, []byte) {
	out, err := http.NewRequest(req.Method, r.upstream+req.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	out.Header = req.Header.Clone()
	res, err := r.client.Do(out)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return res, answer
}

// whenStuck sets what is called once a request has arrived that will never be answered.
func (r *relay) whenStuck(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stuck = f
}

func (r *relay) isStuck() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stuck != nil {
		r.stuck()
	}
}

func (r *relay) hang(req *http.Request) {
	r.isStuck()
	select {
	case <-req.Context().Done():
	case <-r.done:
	}
	panic(http.ErrAbortHandler)
}

func (r *relay) spoil(w http.ResponseWriter, req *http.Request, f spoiler, answer []byte) bool {
	page := func(status int) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<html><body>"+http.StatusText(status)+"</body></html>")
	}
	w.Header().Set("Content-Type", "application/json")
	switch f {
	case cutAfter:
		panic(http.ErrAbortHandler)
	case hangAfter:
		r.hang(req)
	case resetAfter:
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		}
	case halfAnswer:
		w.Header().Set("Content-Length", "100000")
		_, _ = w.Write(answer[:len(answer)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case webPage:
		page(http.StatusOK)
	case empty:
		w.WriteHeader(http.StatusOK)
	case huge:
		_, _ = w.Write(answer)
		_, _ = w.Write(bytes.Repeat([]byte(" "), 10<<20))
	case drip:
		r.drip(w, req)
	case badGateway:
		page(http.StatusBadGateway)
	case unavailable:
		w.Header().Set("Retry-After", "1")
		page(http.StatusServiceUnavailable)
	case redirected:
		http.Redirect(w, req, r.upstream+req.URL.RequestURI(), http.StatusTemporaryRedirect)
	case page404:
		page(http.StatusNotFound)
	case page400:
		page(http.StatusBadRequest)
	case otherJSON:
		_, _ = io.WriteString(w, `{"data":[[]],"ok":true}`)
	default:
		return false
	}
	return true
}

func (r *relay) drip(w http.ResponseWriter, req *http.Request) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		if n == 3 {
			r.isStuck()
		}
		select {
		case <-req.Context().Done():
			return
		case <-r.done:
			return
		case <-tick.C:
		}
		if _, err := io.WriteString(w, " "); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
	}
}
