package cells

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"paysaga/channels/sandbox/server"
	"paysaga/domain/id"
)

// payments are the ids of the payments that were acknowledged, or are known otherwise.
func (r *Run) payments() []string {
	r.house.mu.Lock()
	defer r.house.mu.Unlock()
	var list []string
	for business, of := range r.house.byBusiness {
		if of == r && (strings.HasPrefix(business, string(id.Payment)) || isTopUp(business)) {
			list = append(list, business)
		}
	}
	return list
}

// callBack lets the sandboxes tell again what they have to tell.
func (r *Run) callBack(mode string, times int) error {
	for _, p := range r.payments() {
		for _, sb := range r.merchant.Sandboxes {
			book := sb.Lookup(p)
			names := []string{}
			if len(book.Charges) > 0 && !book.Charges[len(book.Charges)-1].Tombstone {
				names = append(names, p)
			}
			for _, m := range book.Refunds {
				names = append(names, m.Key)
			}
			for _, name := range names {
				if err := r.admin(sb, "callbacks", map[string]any{"reference": name, "mode": mode, "times": times}); err != nil {
					r.complain("drill: %v", err)
				}
			}
		}
	}
	for _, y := range r.state().Payouts {
		for _, sb := range r.merchant.Sandboxes {
			for _, m := range sb.Lookup(y.ID).Payouts {
				if err := r.admin(sb, "callbacks", map[string]any{"reference": m.Key, "mode": mode, "times": times}); err != nil {
					r.complain("drill: %v", err)
				}
			}
		}
	}
	return nil
}

// forge tells our API a success that never was, signed by somebody else (I-21).
func (r *Run) forge() error {
	for _, p := range r.payments() {
		for _, sb := range r.merchant.Sandboxes {
			ref, err := id.Reference(id.Key(p, id.Step{Code: id.Charge, Ordinal: 1}))
			if err != nil {
				return err
			}
			now := time.Now()
			e := server.Event{EventID: "forged_" + p, Type: "charge.succeeded", Reference: ref, State: server.Succeeded, AmountMinor: 1234,
				Currency: "CNY", ChannelID: "sbx_forged", OccurredAt: now, SucceededAt: now}
			raw, err := json.Marshal(e)
			if err != nil {
				return err
			}
			req, err := http.NewRequestWithContext(r.ctx, http.MethodPost, r.house.Stage.API.URL+"/v1/callbacks/sandbox/"+sb.Account, bytes.NewReader(raw))
			if err != nil {
				return err
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Sandbox-Signature", server.Signature(server.CallbackSecret("a forger"), now, raw))
			r.house.count(func(t *Tally) { t.Forged++ })
			if code, text, err := r.house.fetch(req); err == nil && code < 400 {
				r.complain("I-21: a forged callback was answered %d %s", code, text)
			}
		}
	}
	return nil
}

// state is what stood when the rows were last read.
