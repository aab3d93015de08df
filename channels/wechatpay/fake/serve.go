package fake

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Request is one call as the server received it.
type Request struct {
	Method, URI string
	Header      http.Header
	Body        []byte
}

// Requests are the calls received so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.calls...)
}

// reply is an answer before it is signed.
type reply struct {
	status   int
	body     any    // JSON, unless raw
	raw      []byte // a bill
	unsigned bool
}

func ok(body any) reply { return reply{status: http.StatusOK, body: body} }

func refuse(status int, code, message string) reply {
	return reply{status: status, body: map[string]string{"code": code, "message": message}}
}

func paramError(field string) reply {
	return refuse(http.StatusBadRequest, "PARAM_ERROR", "参数错误: "+field)
}

func (s *Server) route() {
	s.mux = http.NewServeMux()
	handle := func(pattern string, f func(call) reply) {
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, f) })
	}
	for _, kind := range []string{"native", "jsapi", "h5", "app"} {
		handle("POST /v3/pay/transactions/"+kind, func(c call) reply { return s.place(kind, c) })
	}
	handle("GET /v3/pay/transactions/out-trade-no/{n}", s.query)
	handle("POST /v3/pay/transactions/out-trade-no/{n}/close", s.close)
	handle("POST /v3/refund/domestic/refunds", s.refund)
	handle("GET /v3/refund/domestic/refunds/{n}", s.queryRefund)
	handle("POST /v3/fund-app/mch-transfer/transfer-bills", s.transfer)
	handle("GET /v3/fund-app/mch-transfer/transfer-bills/out-bill-no/{n}", s.queryTransfer)
	handle("GET /v3/certificates", s.certificates)
	handle("GET /v3/bill/tradebill", s.tradeBill)
	handle("GET /v3/bill/fundflowbill", s.fundFlowBill)
	handle("GET /v3/billdownload/file", s.download)
}

// call is a request whose signature holds. The lock is held.
type call struct {
	*http.Request
	body []byte
	now  time.Time
}

// decode reads a body strictly.
func (c call) decode(v any) bool {
	d := json.NewDecoder(bytes.NewReader(c.body))
	d.DisallowUnknownFields()
	return d.Decode(v) == nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Server) serve(w http.ResponseWriter, r *http.Request, f func(call) reply) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	s.calls = append(s.calls, Request{r.Method, r.URL.RequestURI(), r.Header.Clone(), body})
	now := s.now()
	a, refused := s.admit(r, body, now)
	if !refused {
		a = f(call{r, body, now})
	}
	s.mu.Unlock()
	raw := a.raw
	if a.body != nil {
		if raw, err = json.Marshal(a.body); err != nil {
			panic(err)
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	if !a.unsigned {
		s.stamp(w.Header(), raw, now, s.signer(r.Header.Get("Wechatpay-Serial")))
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(raw)
}

var field = regexp.MustCompile(`([a-z_]+)="([^"]*)"`)

// admit checks what WeChat checks of every request.
func (s *Server) admit(r *http.Request, body []byte, now time.Time) (reply, bool) {
	refused := refuse(http.StatusUnauthorized, "SIGN_ERROR", "签名错误")
	refused.unsigned = true
	if r.Header.Get("User-Agent") == "" || r.Header.Get("Accept") == "" {
		return paramError("Accept, User-Agent"), true
	}
	text, found := strings.CutPrefix(r.Header.Get("Authorization"), "WECHATPAY2-SHA256-RSA2048 ")
	f := map[string]string{}
	for _, m := range field.FindAllStringSubmatch(text, -1) {
		f[m[1]] = m[2]
	}
	unix, err := strconv.ParseInt(f["timestamp"], 10, 64)
	age := now.Sub(time.Unix(unix, 0))
	who, known := merchants()[f["mchid"]]
	if !found || err != nil || !known || f["serial_no"] != who.serial || len(f) != 5 || f["nonce_str"] == "" ||
		age > 5*time.Minute || age < -5*time.Minute {
		return refused, true
	}
	raw, err := base64.StdEncoding.DecodeString(f["signature"])
	sum := sha256.Sum256([]byte(r.Method + "\n" + r.URL.RequestURI() + "\n" + f["timestamp"] + "\n" + f["nonce_str"] + "\n" + string(body) + "\n"))
	if err != nil || rsa.VerifyPKCS1v15(&who.key.PublicKey, crypto.SHA256, sum[:], raw) != nil {
		return refused, true
	}
	if f["mchid"] != MchID && r.URL.Path != "/v3/certificates" {
		return refuse(http.StatusForbidden, "NO_AUTH", "无权限"), true
	}
	return reply{}, false
}

// merchant is what the server knows of one.
type merchant struct {
	serial string
	key    *rsa.PrivateKey
	secret string // the APIv3 key
}

// merchants are the one whose book this is, and a stranger, who may have the certificates.
func merchants() map[string]merchant {
	return map[string]merchant{MchID: {Serial, keys[merchantKey](), apiV3Key},
		foreignMch: {strings.Repeat("F", 40), keys[len(keys)-1](), strings.Repeat("x", 32)}}
}

// seal is a key that the server signs with, and its number.
type seal struct {
	serial string
	key    *rsa.PrivateKey
}

// signer is the key that an answer is signed with: the public one if the request names it, or there is no other.
func (s *Server) signer(asked string) seal {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conf.Mode == PublicKeys || s.conf.Mode == Both && asked == PublicKeyID {
		return seal{PublicKeyID, keys[publicKey]()}
	}
	last := s.certs[len(s.certs)-1]
	return seal{last.serial, last.key}
}

// stamp signs a body.
func (s *Server) stamp(h http.Header, body []byte, now time.Time, by seal) {
	stamp, nonce := strconv.FormatInt(now.Unix(), 10), rand.Text()
	sum := sha256.Sum256([]byte(stamp + "\n" + nonce + "\n" + string(body) + "\n"))
	raw, err := rsa.SignPKCS1v15(nil, by.key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	h.Set("Wechatpay-Timestamp", stamp)
	h.Set("Wechatpay-Nonce", nonce)
	h.Set("Wechatpay-Serial", by.serial)
	h.Set("Wechatpay-Signature", base64.StdEncoding.EncodeToString(raw))
	h.Set("Wechatpay-Signature-Type", "WECHATPAY2-SHA256-RSA2048")
}

// Seal signs another body in the place of an answer's.
func (s *Server) Seal(h http.Header, body []byte) []byte {
	s.stamp(h, body, s.Now(), s.signer(h.Get("Wechatpay-Serial")))
	return body
}

// id makes a number of WeChat's own.
func (s *Server) id(prefix string) string {
	s.count++
	return fmt.Sprintf("%s%s%010d", prefix, s.now().In(Beijing).Format("20060102"), s.count)
}
