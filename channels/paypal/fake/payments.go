package fake

import (
	"net/http"
	"strings"
	"time"
)

// payView shows a payment; alone it names its order, inside of one it doesn't.
func (s *Server) payView(p *payment, alone bool) map[string]any {
	v := map[string]any{"id": p.id, "status": p.status, "amount": cashOf(p.minor, p.of.currency),
		"create_time": p.created.UTC().Format(time.RFC3339), "update_time": p.created.UTC().Format(time.RFC3339),
		"links": []any{map[string]any{"href": s.http.URL + "/v2/payments/" + p.kind + "s/" + p.id, "rel": "self", "method": "GET"}}}
	for name, text := range map[string]string{"custom_id": p.custom, "invoice_id": p.invoice} {
		if text != "" {
			v[name] = text
		}
	}
	switch p.kind {
	case "capture":
		v["final_capture"] = p.final
	case "authorization":
		v["expiration_time"] = p.expires.UTC().Format(time.RFC3339)
	}
	if p.processor != "" {
		v["processor_response"] = map[string]any{"response_code": p.processor}
	}
	if alone && p.kind != "refund" {
		v["supplementary_data"] = map[string]any{"related_ids": map[string]any{"order_id": p.of.id}}
	}
	return v
}

// payment finds a capture, an authorization or a refund.
func (s *Server) payment(kind, id string) *payment {
	for _, o := range s.orders {
		for _, p := range map[string][]*payment{"captures": o.captures, "authorizations": o.auths, "refunds": o.refunds}[kind] {
			if p.id == id {
				if p.kind == "authorization" && p.status == "CREATED" && !s.now().Before(p.expires) {
					p.status = "VOIDED"
				}
				return p
			}
		}
	}
	return nil
}

func (s *Server) show(c call) answer {
	p := s.payment(c.path[2], c.path[3])
	if p == nil {
		return missing()
	}
	return answer{http.StatusOK, s.payView(p, true)}
}

func (s *Server) onAuthorization(c call) answer {
	p := s.payment("authorizations", c.path[3])
	if p == nil {
		return missing()
	}
	switch c.path[4] {
	case "capture":
		return s.captureAuthorization(c, p)
	case "reauthorize":
		return s.reauthorize(c, p)
	case "void":
		return s.void(c, p)
	}
	return refuse(http.StatusNotFound, "NOT_FOUND", "")
}

func (s *Server) void(c call, p *payment) answer {
	switch {
	case len(c.body) > 0 && !c.strict(&struct{}{}):
		return invalid("MALFORMED_REQUEST_JSON")
	case c.id != "":
		return invalid("INVALID_PARAMETER_VALUE")
	case p.status == "VOIDED":
		return unprocessable("PREVIOUSLY_VOIDED")
	case p.status != "CREATED":
		return unprocessable("PREVIOUSLY_CAPTURED")
	case p.renewed:
		return unprocessable("CANNOT_BE_VOIDED")
	}
	for _, each := range p.of.auths {
		each.status = "VOIDED"
	}
	s.tell("PAYMENT.AUTHORIZATION.VOIDED", "authorization", p.of.id, s.payView(p, true))
	return answer{http.StatusOK, s.payView(p, true)}
}

func (s *Server) reauthorize(c call, p *payment) answer {
	var b struct {
		Amount *cash `json:"amount"`
	}
	if !c.strict(&b) {
		return invalid("MALFORMED_REQUEST_JSON")
	}
	return s.once(c, paymentIDLife, func() (answer, func() any) {
		switch {
		case p.status == "VOIDED":
			return unprocessable("AUTHORIZATION_VOIDED"), nil
		case p.status != "CREATED":
			return unprocessable("AUTHORIZATION_ALREADY_CAPTURED"), nil
		case p.renewed || s.now().Sub(p.created) < 72*time.Hour:
			return unprocessable("REAUTHORIZATION_NOT_SUPPORTED"), nil
		}
		n := *p
		n.id, n.created = s.id("4AU"), s.now()
		p.renewed = true
		p.of.auths = append(p.of.auths, &n)
		return answer{http.StatusCreated, s.payView(&n, true)}, func() any { return s.payView(&n, true) }
	})
}

func (s *Server) captureAuthorization(c call, p *payment) answer {
	var b struct {
		Amount  cash   `json:"amount"`
		Final   bool   `json:"final_capture"`
		Invoice string `json:"invoice_id"`
	}
	if !c.strict(&b) {
		return invalid("MALFORMED_REQUEST_JSON")
	}
	minor, issue := b.Amount.minor()
	if issue != "" {
		return unprocessable(issue)
	}
	return s.once(c, paymentIDLife, func() (answer, func() any) {
		taken := int64(0)
		for _, each := range p.of.captures {
			taken += each.minor
		}
		switch {
		case p.status == "VOIDED":
			return unprocessable("AUTHORIZATION_VOIDED"), nil
		case p.status != "CREATED" && p.status != "PARTIALLY_CAPTURED":
			return unprocessable("AUTHORIZATION_ALREADY_CAPTURED"), nil
		case b.Amount.Currency != p.of.currency:
			return unprocessable("AUTH_CAPTURE_CURRENCY_MISMATCH"), nil
		case taken+minor > p.minor+p.minor*15/100:
			return unprocessable("MAX_CAPTURE_AMOUNT_EXCEEDED"), nil
		case b.Invoice != "" && s.paid[b.Invoice]:
			return unprocessable("DUPLICATE_INVOICE_ID"), nil
		}
		n := &payment{kind: "capture", id: s.id("3CP"), status: "COMPLETED", minor: minor, custom: p.custom, invoice: b.Invoice,
			created: s.now(), of: p.of, from: p, final: b.Final}
		s.paid[b.Invoice] = true
		p.status = "PARTIALLY_CAPTURED"
		if b.Final || taken+minor >= p.minor {
			p.status = "CAPTURED"
		}
		p.of.captures = append(p.of.captures, n)
		s.tell("PAYMENT.CAPTURE.COMPLETED", "capture", p.of.id, s.payView(n, true))
		return answer{http.StatusCreated, s.payView(n, true)}, func() any { return s.payView(n, true) }
	})
}

func (s *Server) refund(c call) answer {
	var b struct {
		Amount  cash   `json:"amount"`
		Custom  string `json:"custom_id"`
		Invoice string `json:"invoice_id"`
		Note    string `json:"note_to_payer"`
	}
	if !c.strict(&b) {
		return invalid("MALFORMED_REQUEST_JSON")
	}
	minor, issue := b.Amount.minor()
	if issue != "" {
		return unprocessable(issue)
	}
	p := s.payment("captures", c.path[3])
	if p == nil {
		return missing()
	}
	return s.once(c, paymentIDLife, func() (answer, func() any) {
		switch {
		case p.status == "PENDING":
			return unprocessable("PENDING_CAPTURE"), nil
		case p.status == "DECLINED":
			return unprocessable("REFUND_NOT_ALLOWED"), nil
		case p.refunded == p.minor:
			return unprocessable("CAPTURE_FULLY_REFUNDED"), nil
		case b.Amount.Currency != p.of.currency:
			return unprocessable("REFUND_CAPTURE_CURRENCY_MISMATCH"), nil
		case p.refunded+minor > p.minor:
			return unprocessable("REFUND_AMOUNT_EXCEEDED"), nil
		case s.now().Sub(p.created) > refundLife:
			return unprocessable("REFUND_TIME_LIMIT_EXCEEDED"), nil
		}
		n := &payment{kind: "refund", id: s.id("2RF"), status: "COMPLETED", minor: minor, custom: b.Custom, invoice: b.Invoice, created: s.now(), of: p.of, from: p}
		kind := "PAYMENT.CAPTURE.REFUNDED"
		if p.of.slow {
			n.status, kind = "PENDING", "PAYMENT.REFUND.PENDING"
		}
		p.back(minor)
		p.of.refunds = append(p.of.refunds, n)
		s.tell(kind, "refund", n.id, s.payView(n, true))
		return answer{http.StatusCreated, s.payView(n, true)}, func() any { return s.payView(n, true) }
	})
}

// back counts what went back of a capture.
func (p *payment) back(minor int64) {
	p.refunded += minor
	switch {
	case p.refunded == 0:
		p.status = "COMPLETED"
	case p.refunded < p.minor:
		p.status = "PARTIALLY_REFUNDED"
	default:
		p.status = "REFUNDED"
	}
}

// search lists what moved money, some hours late.
func (s *Server) search(c call) answer {
	from, err := time.Parse(time.RFC3339, first(c.query["start_date"]))
	till, err2 := time.Parse(time.RFC3339, first(c.query["end_date"]))
	if err != nil || err2 != nil || till.Sub(from) > 31*24*time.Hour || till.Before(from) {
		return refuse(http.StatusBadRequest, "INVALID_REQUEST", "INVALID_PARAMETER_VALUE")
	}
	list := []any{}
	for _, o := range s.orders {
		for _, p := range append(append([]*payment{}, o.auths...), o.captures...) {
			if strings.HasPrefix(p.status, "D") || s.now().Sub(p.created) < searchLag || p.created.Before(from) || p.created.After(till) {
				continue
			}
			list = append(list, map[string]any{"transaction_info": map[string]any{"transaction_id": p.id, "custom_field": p.custom,
				"invoice_id": p.invoice, "transaction_amount": cashOf(p.minor, o.currency), "transaction_status": "S"}})
		}
	}
	return answer{http.StatusOK, map[string]any{"transaction_details": list, "total_items": len(list), "total_pages": 1, "page": 1}}
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
