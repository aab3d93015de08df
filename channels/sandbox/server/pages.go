package server

import (
	"crypto/subtle"
	"html/template"
	"net/http"
	"strings"
)

// The pages that a customer sees: what a wallet shows after a QR code was scanned, or a bank after a redirect.

var page = template.Must(template.New("pay").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sandbox: {{.State}}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:28rem;margin:4rem auto;padding:0 1rem}
button{font:inherit;padding:.5rem 1.5rem;margin-right:.5rem}small{color:#666}</style></head><body>
<h1>Sandbox channel</h1>
<p>{{.Description}}</p>
<p><strong>{{.Currency}} {{.AmountMinor}}</strong> <small>in minor units</small></p>
<p>State: <strong>{{.State}}</strong></p>
{{if eq .State "pending"}}<form method="post">
<button name="act" value="pay">Pay</button><button name="act" value="decline">Decline</button></form>{{end}}
{{if and (ne .State "pending") .ReturnURL}}<p><a href="{{.ReturnURL}}">Back to the shop</a></p>{{end}}
<p><small>{{.Reference}}</small></p></body></html>
`))

// payPage is GET and POST /pay/{reference}?t=….
func (s *Server) payPage(w http.ResponseWriter, r *http.Request) error {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	var c *Charge
	charges, _ := s.book.find(r.PathValue("reference"), s.Now())
	for _, each := range charges {
		if subtle.ConstantTimeCompare([]byte(ticket(each)), []byte(r.URL.Query().Get("t"))) == 1 {
			c = each
		}
	}
	if c == nil || c.Action == nil {
		return refuse(http.StatusNotFound, "not_found", "there is nothing to pay here")
	}
	if r.Method == http.MethodPost {
		p := pay{Decline: r.PostFormValue("act") == "decline"}
		// Paid or closed meanwhile: the page shows it.
		if err := s.pay(c, p, s.Now()); err == nil && c.ReturnURL != "" {
			http.Redirect(w, r, withResult(c), http.StatusSeeOther)
			return nil
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self' http: https:")
	return page.Execute(w, *c)
}

func withResult(c *Charge) string {
	mark := "?"
	if strings.Contains(c.ReturnURL, "?") {
		mark = "&"
	}
	return c.ReturnURL + mark + "sandbox_reference=" + c.Reference
}
