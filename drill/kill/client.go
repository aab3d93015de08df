package kill

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"paysaga/domain/payment"
)

// client speaks to the APIs as a merchant's backend does: whatever isn't
// acknowledged is sent again under the same key, to any of them.
type client struct {
	apis    []string
	sandbox string
	http    *http.Client
}

func newClient(s *set) *client {
	return &client{apis: s.apis, sandbox: s.sandboxURL, http: &http.Client{Timeout: 10 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 128, IdleConnTimeout: 10 * time.Second}}}
}

// answer is what an API said, once it said anything that counts.
type answer struct {
	code    int
	payment payment.Public
	problem string // the code of a problem document
	text    string // of an answer that can't be read
}

// once sends a request to one of the APIs. No complete answer is an error.
func (c *client) once(ctx context.Context, o *order, method, path, key string, body []byte) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.apis[rand.IntN(len(c.apis))]+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+o.secret)
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{code: res.StatusCode}
	if a.code < 300 {
		return a, json.Unmarshal(raw, &a.payment)
	}
	var problem struct{ Code string }
	if json.Unmarshal(raw, &problem) != nil || problem.Code == "" {
		a.text = string(raw)
	}
	a.problem = problem.Code
	return a, nil
}

// until sends a request again and again until it is answered by a 2xx or a 4xx.
// Only the end of ctx is an error. A 500 is retried like a 503, and noted: no
// kill is a reason for one.
func (c *client) until(ctx context.Context, o *order, method, path, key string, body []byte) (answer, error) {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		a, err := c.once(ctx, o, method, path, key, body)
		switch {
		case err != nil:
		case a.code < 300:
			o.saw(a.payment)
			return a, nil
		case a.code == http.StatusInternalServerError:
			o.complain("%s %s answered 500 %s", method, path, a.problem)
		case a.code < 500:
			return a, nil
		}
		if err := rest(ctx, pause); err != nil {
			return answer{}, err
		}
	}
}

// pay posts the payment until it is acknowledged. Some clients are impatient:
// they ask twice at once.
func (c *client) pay(ctx context.Context, o *order, twice bool) error {
	post := func() error {
		a, err := c.until(ctx, o, http.MethodPost, "/v1/payments", o.Key, o.body)
		if err == nil && a.code != http.StatusCreated && a.code != http.StatusAccepted {
			o.complain("I-19: the payment was refused: %d %s %s", a.code, a.problem, a.text)
		}
		return err
	}
	if !twice {
		return post()
	}
	other := make(chan error, 1)
	go func() { other <- post() }()
	err := post()
	if second := <-other; err == nil {
		err = second
	}
	return err
}

// cancel asks for the payment to be cancelled until that is acknowledged, or
// until it turns out to have ended.
func (c *client) cancel(ctx context.Context, o *order) error {
	a, err := c.until(ctx, o, http.MethodPost, "/v1/payments/"+o.seen().ID+"/cancel", "cancel-"+o.Key, []byte("{}"))
	if err == nil && a.code >= 300 && a.problem != "payment_not_cancelable" {
		o.complain("the cancel was refused: %d %s %s", a.code, a.problem, a.text)
	}
	return err
}

// watch reads the payment until it is as wanted, and says how it is.
func (c *client) watch(ctx context.Context, o *order, wanted func(payment.Public) bool) (payment.Public, error) {
	for pause := 200 * time.Millisecond; ; pause = min(pause*3/2, 2*time.Second) {
		a, err := c.until(ctx, o, http.MethodGet, "/v1/payments/"+o.seen().ID, "", nil)
		switch {
		case err != nil:
			return payment.Public{}, err
		case a.code >= 300:
			o.complain("I-19: what was acknowledged is answered %d %s", a.code, a.problem)
		case wanted(a.payment):
			return a.payment, nil
		}
		if err := rest(ctx, pause); err != nil {
			return payment.Public{}, err
		}
	}
}

// customer acts at the channel, as whoever scans the code does. A payment that
// the channel has closed can't be acted on any more; that is no error.
func (c *client) customer(ctx context.Context, o *order, decline bool) error {
	body := fmt.Appendf(nil, `{"reference":%q,"decline":%t}`, o.seen().ID, decline)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.sandbox+"/admin/pay", bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if raw, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK && res.StatusCode != http.StatusConflict {
		o.complain("the customer was answered %d %s", res.StatusCode, raw)
	}
	return nil
}

// rest waits, unless the round ends.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
