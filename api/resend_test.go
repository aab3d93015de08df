package api_test

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/notice"
)

func (m *memory) Notice(_ context.Context, book id.Book, merchantID, noticeID string) (notice.Row, error) {
	unlock, err := m.lock("Notice")
	defer unlock()
	for _, r := range m.notices.rows {
		if r.ID == noticeID && r.Book == book && r.MerchantID == merchantID {
			return r, err
		}
	}
	return notice.Row{}, fault.NotFound("notification")
}

// Resend remembers keys as other operations do: by what they stood for.
func (m *memory) Resend(_ context.Context, r notice.Resend) (done notice.Resent, err error) {
	unlock, err := m.lock("Resend")
	defer unlock()
	if err != nil {
		return done, err
	}
	if _, found, err := m.replayed(r.Book, r.Idempotency); err != nil || found {
		return notice.Resent{Count: 1, Replayed: found}, err
	}
	known := r.NoticeID == ""
	for i, row := range m.notices.rows {
		if row.Book != r.Book || row.MerchantID != r.MerchantID || r.NoticeID != "" && row.ID != r.NoticeID {
			continue
		}
		if known = true; r.NoticeID != "" {
			if err := notice.Again(row.State); err != nil {
				return done, err
			}
		}
		if slices.Contains(r.Chosen(), row.State) && (len(r.Media) == 0 || slices.Contains(r.Media, row.Medium)) {
			m.notices.rows[i].State = notice.Pending
			done.Count++
		}
	}
	if !known {
		return done, fault.NotFound("notification")
	}
	m.firsts[scopeOf(r.Book, r.Idempotency)] = first{r.Idempotency.RequestHash, mint(id.Request)}
	return done, nil
}

func TestResending(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	row := notice.Row{Ref: notice.Ref{Book: id.Test, EventID: mint(id.Event), UserID: mint(id.User), Medium: notice.Mail}, ID: mint(id.Notice),
		MerchantID: f.store.keys[keyOfShop].MerchantID, Type: "order.paid", ObjectType: "order", ObjectID: mint(id.Order), Language: notice.Chinese,
		State: notice.Failed, CreatedAt: f.clock.Now()}
	sent := row
	sent.ID, sent.State = mint(id.Notice), notice.Sent
	f.store.notices.rows = []notice.Row{row, sent}
	const many = "/v1/notifications/resend"
	one := func(noticeID string) string { return "/v1/notifications/" + noticeID + "/resend" }

	for _, r := range []struct {
		path, body, code, param string
		status                  int
	}{
		{many, `{"media":["fax"]}`, "medium_unknown", "media[0]", 422}, {many, `{"media":[]}`, "medium_unknown", "media", 422},
		{many, `{"types":["order.eaten"]}`, "type_unknown", "types[0]", 422}, {many, `{"statuses":["failed","sent"]}`, "status_invalid", "statuses[1]", 422},
		{many, `{"statuses":[]}`, "status_invalid", "statuses", 422}, {many, `{"user_id":"usr_1"}`, "id_invalid", "user_id", 422},
		{many, `{"from":"2026-01-02T00:00:00Z","to":"2026-01-01T00:00:00Z"}`, "time_invalid", "to", 422}, {many, `{"from":"0001-01-01T00:00:00Z","to":"0002-01-01T00:00:00Z"}`, "time_invalid", "to", 422},
		{many, `{"all":true}`, "field_unknown", "all", 422}, {one("ntf_1"), "", "not_found", "", 404}, {one(mint(id.Notice)), "", "not_found", "", 404},
		{one(sent.ID), "", "notification_sent", "", 409}, {one(row.ID), `{"again":true}`, "field_unknown", "again", 422},
	} {
		checkProblem(t, refusal{name: r.path + r.body, status: r.status, code: r.code, param: r.param}, f.do(t, send(http.MethodPost, r.path, r.body, with("Idempotency-Key", "k"))))
	}
	checkProblem(t, refusal{name: "no key", status: 400, code: "idempotency_key_missing", param: "Idempotency-Key"}, f.do(t, send(http.MethodPost, one(row.ID), "")))
	checkProblem(t, refusal{name: "a reader", status: 403, code: "scope_missing"}, f.do(t, send(http.MethodPost, one(row.ID), "", with("Idempotency-Key", "k"), as(keyOfReader))))
	checkProblem(t, refusal{name: "another merchant", status: 404, code: "not_found"}, f.do(t, send(http.MethodPost, one(row.ID), "", with("Idempotency-Key", "k"), as(keyOfOther))))
	if got := f.store.notices.rows[0].State; got != notice.Failed {
		t.Fatalf("a refused request told it again: %s", got)
	}

	a := f.do(t, send(http.MethodPost, one(row.ID), "", with("Idempotency-Key", "k1")))
	if a.status != 202 || a.text(t, "status") != "pending" || a.text(t, "text") != "text of order.paid" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	f.store.notices.rows[0].State = notice.Failed
	if a := f.do(t, send(http.MethodPost, one(row.ID), "", with("Idempotency-Key", "k1"))); a.status != 202 || a.header.Get("Idempotent-Replayed") != "true" || a.text(t, "status") != "failed" {
		t.Errorf("a repeat: %d %s", a.status, a.body)
	}
	a = f.do(t, send(http.MethodPost, many, `{"media":["mail"]}`, with("Idempotency-Key", "k2")))
	if a.status != 202 || a.json(t)["count"] != float64(1) || a.json(t)["has_more"] != false {
		t.Errorf("%d %s", a.status, a.body)
	}
	checkProblem(t, refusal{name: "another body", status: 422, code: "idempotency_key_reused", param: "Idempotency-Key"}, f.do(t, send(http.MethodPost, many, `{}`, with("Idempotency-Key", "k2"))))
}
