package alipay

import (
	"bytes"
	"encoding/json"
	"io"
)

// envelope is an answer of the gateway: the bytes that are signed, exactly as they came, and who signed them.
type envelope struct {
	value       []byte
	sign        string
	certificate string
}

// cut takes an answer apart. The value is that of name, or of error_response: Alipay signs it as it wrote it, so it is
// never written again. A body that has both, has anything twice, isn't one object, or goes on after it is refused: what is
// read has to be what was verified.
func cut(body []byte, name string) (e envelope, ok bool) {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return envelope{}, false
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		key, isKey := t.(string)
		if err != nil || !isKey || seen[key] {
			return envelope{}, false
		}
		seen[key] = true
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			return envelope{}, false
		}
		switch key {
		case name, "error_response":
			if e.value != nil || raw[0] != '{' {
				return envelope{}, false
			}
			e.value = raw
		case "sign":
			ok = json.Unmarshal(raw, &e.sign) == nil && e.sign != ""
		case "alipay_cert_sn":
			ok = json.Unmarshal(raw, &e.certificate) == nil
		default:
			ok = true // additions don't hurt: they are never read
		}
		if !ok && (key == "sign" || key == "alipay_cert_sn") {
			return envelope{}, false
		}
	}
	if t, err := d.Token(); err != nil || t != json.Delim('}') {
		return envelope{}, false
	}
	if _, err := d.Token(); err != io.EOF {
		return envelope{}, false
	}
	return e, e.value != nil
}
