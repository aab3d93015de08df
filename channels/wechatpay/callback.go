package wechatpay

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

// patienceForCallbacks bounds the fetching of certificates while WeChat waits for us; it gives up after 5 s.
const patienceForCallbacks = 3 * time.Second

type event struct {
	ID       string `json:"id"`
	Type     string `json:"event_type"`
	Resource secret `json:"resource"`
}

// ParseCallback verifies the signature over the raw body, then its age, decrypts what it tells of, and only then reads
// that (I-21). It fetches platform certificates when WeChat signs with one that isn't known yet.
func (ch *Channel) ParseCallback(a channels.Account, raw channels.RawCallback) (channels.Callback, error) {
	s, err := ch.session(a, raw.Now)
	if err != nil {
		return channels.Callback{}, err
	}
	ctx, stop := context.WithTimeout(context.Background(), patienceForCallbacks)
	defer stop()
	if err := s.authentic(ctx, http.Header(raw.Header), raw.Body); err != nil {
		return channels.Callback{}, err
	}
	return s.read(raw.Body)
}

func illegible() error {
	return fault.Invalid("callback_unreadable", "", "the callback's body can't be read")
}

func (s session) read(body []byte) (channels.Callback, error) {
	var e event
	if json.Unmarshal(body, &e) != nil || e.ID == "" || len(e.ID) > 255 {
		return channels.Callback{}, illegible()
	}
	plain, ok := e.Resource.open(s.apiKey)
	if !ok { // platform certificates sign for every merchant: this one may be for another
		return channels.Callback{}, fault.Denied("callback_foreign", "the callback isn't encrypted for this account")
	}
	cb := channels.Callback{EventID: e.ID, Subject: channels.SubjectOther}
	var err error
	switch kind, _, _ := strings.Cut(e.Type, "."); kind {
	case "TRANSACTION":
		err = s.readTransaction(plain, &cb)
	case "REFUND":
		err = s.readRefund(plain, &cb)
	case "MCHTRANSFER":
		err = s.readTransfer(plain, &cb)
	}
	if err != nil {
		return channels.Callback{}, illegible()
	}
	return cb, nil
}

func (s session) readTransaction(plain []byte, cb *channels.Callback) error {
	var t transaction
	if err := json.Unmarshal(plain, &t); err != nil {
		return err
	}
	out, err := s.outcome(t)
	cb.Subject, cb.Reference, cb.Outcome = channels.SubjectCharge, t.OutTradeNo, out
	return err
}

func (s session) readRefund(plain []byte, cb *channels.Callback) error {
	var r struct {
		refunded
		MchID  string `json:"mchid"`
		Status string `json:"refund_status"`
	}
	if err := json.Unmarshal(plain, &r); err != nil {
		return err
	}
	if r.MchID != s.mchID {
		return mismatch()
	}
	r.refunded.Status = r.Status
	out, err := r.refunded.outcome()
	cb.Subject, cb.Reference, cb.Outcome = channels.SubjectRefund, r.OutRefundNo, out
	return err
}

func (s session) readTransfer(plain []byte, cb *channels.Callback) error {
	var t struct {
		transfer
		MchID string `json:"mch_id"` // written so here alone
	}
	if err := json.Unmarshal(plain, &t); err != nil {
		return err
	}
	if t.MchID != s.mchID {
		return mismatch()
	}
	out, err := t.outcome()
	if out.Verdict == payment.Succeeded && out.AmountMinor <= 0 {
		return unreadable("a success without its amount")
	}
	cb.Subject, cb.Reference, cb.Outcome = channels.SubjectPayout, t.OutBillNo, out
	return err
}
