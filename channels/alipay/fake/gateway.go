package fake

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// answer is the content of an answer; code and msg are among its fields.
type answer map[string]any

func done(fields answer) answer {
	if fields == nil {
		fields = answer{}
	}
	fields["code"], fields["msg"] = "10000", "Success"
	return fields
}

func business(sub string) answer {
	return answer{"code": "40004", "msg": "Business Failed", "sub_code": sub, "sub_msg": sub}
}

func invalid(sub string) answer {
	return answer{"code": "40002", "msg": "Invalid Arguments", "sub_code": sub, "sub_msg": sub}
}

func absent(field string) answer {
	return answer{"code": "40001", "msg": "Missing Required Arguments", "sub_code": "isv.missing-" + field, "sub_msg": field}
}

// methods are what the gateway does, by name.
var methods = map[string]func(*Server, request) answer{
	"alipay.trade.precreate":                         (*Server).precreate,
	"alipay.trade.pay":                               (*Server).pay,
	"alipay.trade.query":                             (*Server).query,
	"alipay.trade.cancel":                            (*Server).cancel,
	"alipay.trade.close":                             (*Server).close,
	"alipay.trade.refund":                            (*Server).refund,
	"alipay.trade.fastpay.refund.query":              (*Server).queryRefund,
	"alipay.fund.trans.uni.transfer":                 (*Server).transfer,
	"alipay.fund.trans.common.query":                 (*Server).queryTransfer,
	"alipay.data.dataservice.bill.downloadurl.query": (*Server).billURL,
}

// request is a call whose signature was right.
type request struct {
	form map[string]string
	biz  map[string]any
	host string
}

// text is a field of the content.
func (r request) text(name string) string {
	switch v := r.biz[name].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

func (s *Server) gateway(w http.ResponseWriter, hr *http.Request) {
	form, err := readForm(hr)
	if err != nil {
		http.Error(w, "bad form", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.ReplaceAll(form["method"], ".", "_") + "_response"
	r, no := s.admit(form)
	r.host = hr.Host
	switch do := methods[form["method"]]; {
	case no["sub_code"] == "isv.invalid-app-id": // nobody to sign for
		s.write(w, "error_response", no, false)
	case no != nil:
		s.write(w, name, no, true)
	case do == nil:
		s.write(w, "error_response", invalid("isv.invalid-method"), true)
	default:
		s.calls = append(s.calls, Call{Method: form["method"], Biz: r.biz, Form: form})
		s.write(w, name, do(s, r), true)
	}
}

// readForm joins the query and the body: clients put the common parameters into either.
func readForm(r *http.Request) (map[string]string, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	form := map[string]string{}
	for _, raw := range []string{r.URL.RawQuery, string(body)} {
		values, err := url.ParseQuery(raw)
		if err != nil {
			return nil, err
		}
		for k, v := range values {
			if _, twice := form[k]; twice || len(v) != 1 {
				return nil, fmt.Errorf("%s stands twice", k)
			}
			form[k] = v[0]
		}
	}
	return form, nil
}

// admit checks what the gateway checks before any method.
func (s *Server) admit(form map[string]string) (request, answer) {
	r := request{form: form}
	for _, name := range []string{"app_id", "method", "sign", "sign_type", "timestamp", "version", "charset"} {
		if form[name] == "" {
			return r, absent(strings.ReplaceAll(name, "_", "-"))
		}
	}
	_, timeErr := time.ParseInLocation(time.DateTime, form["timestamp"], Zone)
	switch {
	case form["app_id"] != AppID:
		return r, invalid("isv.invalid-app-id")
	case form["sign_type"] != "RSA2":
		return r, invalid("isv.invalid-signature-type")
	case strings.ToLower(form["charset"]) != "utf-8":
		return r, invalid("isv.invalid-charset")
	case form["version"] != "1.0":
		return r, invalid("isv.invalid-version")
	case timeErr != nil:
		return r, invalid("isv.invalid-timestamp")
	case s.conf.Certificates && form["app_cert_sn"] != s.keys.appSN:
		return r, invalid("isv.app-cert-not-match")
	case s.conf.Certificates && form["alipay_root_cert_sn"] != s.keys.rootSN:
		return r, invalid("isv.invalid-alipay-root-cert-sn")
	case !s.signedByApp(form):
		return r, invalid("isv.invalid-signature")
	}
	if raw := form["biz_content"]; raw != "" {
		d := json.NewDecoder(strings.NewReader(raw))
		d.UseNumber()
		if d.Decode(&r.biz) != nil {
			return r, invalid("isv.invalid-parameter")
		}
	}
	return r, nil
}

// write signs an answer as it is written. Slashes are escaped, as Alipay does: who writes it again gets other bytes.
func (s *Server) write(w http.ResponseWriter, name string, a answer, signed bool) {
	raw, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	raw = []byte(strings.ReplaceAll(string(raw), "/", `\/`))
	tail := ""
	if signed {
		tail = `,"sign":"` + s.Sign(raw) + `"`
		if s.conf.Certificates {
			tail = `,"alipay_cert_sn":"` + s.keys.alipaySN + `"` + tail
		}
	}
	w.Header().Set("Content-Type", "text/html;charset=utf-8")
	_, _ = io.WriteString(w, `{"`+name+`":`+string(raw)+tail+`}`)
}

// Resign signs a falsified answer anew, as if Alipay had said it.
func (s *Server) Resign(body []byte) []byte {
	var v map[string]json.RawMessage
	if json.Unmarshal(body, &v) != nil {
		return body
	}
	for name, raw := range v {
		if strings.HasSuffix(name, "_response") {
			v["sign"], _ = json.Marshal(s.Sign(raw))
		}
	}
	out, err := json.Marshal(v)
	if err != nil {
		return body
	}
	return out
}

var (
	outNo  = regexp.MustCompile(`^[0-9A-Za-z_]{1,64}$`)
	yuan   = regexp.MustCompile(`^(0|[1-9][0-9]{0,8})(\.[0-9]{1,2})?$`)
	expire = time.DateTime
)

// fen reads an amount of yuan; zero and what isn't one are false.
func fen(text string) (int64, bool) {
	if !yuan.MatchString(text) {
		return 0, false
	}
	whole, part, _ := strings.Cut(text, ".")
	var n int64
	for _, d := range whole + (part + "00")[:2] {
		n = n*10 + int64(d-'0')
	}
	return n, n > 0 && n <= 100_000_000_00
}

// money writes fen as yuan.
func money(n int64) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%02d", sign, n/100, n%100)
}
