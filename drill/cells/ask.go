package cells

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"paysaga/drill/stage"
)

// post asks for something until that is acknowledged or refused, as a merchant's backend does.
func (r *Run) post(path, key string, body map[string]any) (stage.Answer, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return stage.Answer{}, err
	}
	return r.until(http.MethodPost, path, key, raw)
}

// until sends a request again and again until it is answered by a 2xx or a 4xx.
func (r *Run) until(method, path, key string, raw []byte) (stage.Answer, error) {
	for {
		a, err := r.send(method, path, key, raw)
		switch {
		case err == nil && a.Code < 500:
			return a, nil
		case err == nil && a.Code == http.StatusInternalServerError:
			r.complain("%s %s answered 500: %s", method, path, a.Raw)
		}
		if err := r.rest(100 * time.Millisecond); err != nil {
			return stage.Answer{}, fmt.Errorf("%s was never acknowledged: %w", path, err)
		}
	}
}

func (r *Run) send(method, path, key string, body []byte) (a stage.Answer, err error) {
	req, err := http.NewRequestWithContext(r.ctx, method, r.house.Stage.API.URL+path, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	req.Header.Set("Authorization", "Bearer "+r.merchant.Key)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", key)
	}
	if a.Code, a.Raw, err = r.house.fetch(req); err != nil || a.Code >= 400 {
		return a, err
	}
	return a, json.Unmarshal(a.Raw, &a.Public)
}

// order posts what creates something, and remembers it.
func (r *Run) order(path, key string, body map[string]any) (stage.Answer, error) {
	a, err := r.post(path, key, body)
	if err == nil && a.Code >= 300 {
		err = fmt.Errorf("%s was refused: %d %s", path, a.Code, a.Raw)
	}
	if err == nil {
		var object string
		object, err = idOf(a.Raw)
		r.mu.Lock()
		r.orders = append(r.orders, &Order{Path: path, Key: key, Body: body, ID: object})
		r.mu.Unlock()
	}
	return a, err
}

// idOf reads the id of an object that the API shows.
func idOf(raw []byte) (string, error) {
	var object struct{ ID string }
	err := json.Unmarshal(raw, &object)
	return object.ID, err
}

// Pay asks for a payment of 12.34 CNY, and returns its id.
func (r *Run) Pay(method map[string]any, more map[string]any) (string, error) {
	r.mu.Lock()
	n := len(r.orders) + 1
	r.mu.Unlock()
	body := map[string]any{"order": map[string]any{"reference": fmt.Sprintf("A-%d", n), "type": "purchase"},
		"amount": "12.34", "currency": "CNY", "method": method}
	for k, v := range more {
		body[k] = v
	}
	a, err := r.order("/v1/payments", fmt.Sprintf("pay-%d", n), body)
	if err != nil {
		return "", err
	}
	if got, err := r.until(http.MethodGet, "/v1/payments/"+a.ID, "", nil); err != nil || got.Code != http.StatusOK {
		r.complain("I-19: %s was acknowledged, and the API says %s (%v)", a.ID, got.Raw, err)
	}
	return a.ID, nil
}

// script orders a fault of a sandbox.
func (r *Run) script(account string, script map[string]any) error {
	for _, sb := range r.merchant.Sandboxes {
		if account == "" || sb.Account == account {
			if err := r.admin(sb, "script", script); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Run) admin(sb *stage.Sandbox, path string, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(r.ctx, http.MethodPost, sb.URL+"/admin/"+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	code, text, err := r.house.fetch(req)
	if err == nil && code >= 300 {
		err = fmt.Errorf("the sandbox answers %d: %s", code, text)
	}
	return err
}

var errNoCharge = errors.New("there is nothing to pay at any sandbox")

// Customer acts at whichever sandbox waits for it.
func (r *Run) Customer(act map[string]any, paymentID string) error {
	for _, sb := range r.merchant.Sandboxes {
		if len(sb.Lookup(paymentID).Charges) == 0 {
			continue
		}
		body := map[string]any{"reference": paymentID}
		for k, v := range act {
			body[k] = v
		}
		return r.admin(sb, "pay", body)
	}
	return errNoCharge
}
