package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/notice"
)

// noticeBook keeps the settings, and a message whose words are its type's.
type noticeBook struct {
	settings map[string]notice.Settings
	rows     []notice.Row
}

func (m *memory) Notices(_ context.Context, f notice.Filter) (page []notice.Row, more bool, err error) {
	unlock, err := m.lock("Notices")
	defer unlock()
	known := f.UserID == ""
	for _, r := range m.notices.rows {
		if r.MerchantID != f.MerchantID || r.Book != f.Book {
			continue
		}
		known = known || r.UserID == f.UserID
		if (f.UserID == "" || r.UserID == f.UserID) && (f.State == "" || r.State == f.State) && (f.Medium == "" || r.Medium == f.Medium) {
			page = append(page, r)
		}
	}
	if err == nil && !known {
		err = fault.NotFound("user")
	}
	return page, false, err
}

func (m *memory) NoticeSettings(_ context.Context, book id.Book, merchantID string) (notice.Settings, error) {
	unlock, err := m.lock("NoticeSettings")
	defer unlock()
	if v, ok := m.notices.settings[merchantID]; ok {
		return v, err
	}
	return notice.Settings{Book: book, MerchantID: merchantID, Media: []notice.Medium{}, Language: notice.English}, err
}

func (m *memory) PutNoticeSettings(_ context.Context, v notice.Settings, _ ledger.Principal) (notice.Settings, error) {
	unlock, err := m.lock("PutNoticeSettings")
	defer unlock()
	if err == nil {
		m.notices.settings[v.MerchantID] = v
	}
	return v, err
}

// words writes a message as its type.
type words struct{}

func (words) Write(r notice.Row, _ notice.Settings) (title, text string, err error) {
	return r.Type, "text of " + r.Type, nil
}

func badSettings() []refusal {
	b := func(body, code, param string) refusal {
		return refusal{name: short(body), body: body, status: 422, code: code, param: param}
	}
	media := func(more string) string { return `{"media":["mail"],"sender":"Shop",` + more + `}` }
	return []refusal{
		b(`{}`, "field_required", "media"), b(`{"media":null}`, "null_refused", "media"), b(`{"media":"mail"}`, "type_invalid", "media"),
		b(`{"media":["fax"],"sender":"Shop"}`, "media_invalid", "media[0]"), b(`{"media":["mail","mail"],"sender":"Shop"}`, "media_invalid", "media[1]"),
		b(`{"media":["Mail"],"sender":"Shop"}`, "media_invalid", "media[0]"), b(`{"media":["mail"]}`, "field_required", "sender"),
		b(`{"media":["mail"],"sender":""}`, "field_required", "sender"), b(`{"media":["mail"],"sender":"`+strings.Repeat("x", 61)+`"}`, "sender_invalid", "sender"),
		b(`{"media":["mail"],"sender":"a\r\nBcc: b"}`, "sender_invalid", "sender"), b(media(`"language":"de"`), "language_unknown", "language"),
		b(media(`"language":""`), "language_unknown", "language"), b(media(`"quiet_hours":"22-8"`), "type_invalid", "quiet_hours"),
		b(media(`"quiet_hours":{"from":"24:00","to":"08:00"}`), "quiet_invalid", "quiet_hours.from"),
		b(media(`"quiet_hours":{"from":"22:00","to":"8:00"}`), "quiet_invalid", "quiet_hours.to"),
		b(media(`"quiet_hours":{"from":"22:00","to":"08:60"}`), "quiet_invalid", "quiet_hours.to"),
		b(media(`"quiet_hours":{"from":"-1:00","to":"08:00"}`), "quiet_invalid", "quiet_hours.from"), b(media(`"time_zone":"UTC"`), "field_unknown", "time_zone"),
		b(`{"media":["mail"],"sender":"a","sender":"b"}`, "json_invalid", "sender").as(400), b(`[]`, "json_invalid", "").as(400),
	}
}

func TestNotificationSettings(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f *front, rows func() int) {
		const path = "/v1/notification_settings"
		if a := f.do(t, send(http.MethodGet, path, "")); a.status != 200 || !strings.Contains(string(a.body), `"media":[]`) {
			t.Fatalf("unset: %d %s", a.status, a.body)
		}
		before := rows()
		for _, r := range badSettings() {
			checkProblem(t, r, f.do(t, send(http.MethodPut, path, r.body)))
		}
		if rows() != before {
			t.Error("a refused request left something behind")
		}
		set := f.do(t, send(http.MethodPut, path, `{"media":["sms","mail"],"language":"zh","sender":"灯笼书店","quiet_hours":{"from":"22:00","to":"08:00"}}`))
		got := f.do(t, send(http.MethodGet, path, ""))
		if set.status != 200 || string(got.body) != string(set.body) || !strings.Contains(string(got.body), `"quiet_hours":{"from":"22:00","to":"08:00"}`) || !strings.Contains(string(got.body), "灯笼书店") {
			t.Errorf("%d %s\n%s", set.status, set.body, got.body)
		}
		if a := f.do(t, send(http.MethodGet, path, "", as(keyOfOther))); strings.Contains(string(a.body), "灯笼书店") {
			t.Errorf("another merchant reads them: %s", a.body) // I-25
		}
		if a := f.do(t, send(http.MethodPut, path, `{"media":[]}`)); a.status != 200 {
			t.Errorf("switched off: %d %s", a.status, a.body)
		}
		checkProblem(t, refusal{name: "a reader writes", status: 403, code: "scope_missing"}, f.do(t, send(http.MethodPut, path, `{"media":[]}`, as(keyOfReader))))
		for _, r := range []refusal{{body: "user_id=usr_1", param: "user_id"}, {body: "status=lost", param: "status"}, {body: "medium=fax", param: "medium"},
			{body: "starting_after=evt_1", param: "starting_after"}, {body: "limit=0", param: "limit"}, {body: "limit=101", param: "limit"}} {
			if a := f.do(t, send(http.MethodGet, "/v1/notifications?"+r.body, "")); a.status != 400 && a.status != 422 || !strings.Contains(string(a.body), `"param":"`+r.param) {
				t.Errorf("%s: %d %s", r.body, a.status, a.body)
			}
		}
		for _, user := range []string{"usr_1", mint(id.User)} {
			checkProblem(t, refusal{name: "a stranger", status: 404, code: "not_found"}, f.do(t, send(http.MethodGet, "/v1/users/"+user+"/notifications", "")))
		}
	})
}

func TestNotificationsAreListed(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	merchant := f.store.keys[keyOfShop].MerchantID
	user := mint(id.User)
	row := notice.Row{Ref: notice.Ref{Book: id.Test, EventID: mint(id.Event), UserID: user, Medium: notice.Mail}, ID: mint(id.Notice), MerchantID: merchant,
		Type: "order.paid", ObjectType: "order", ObjectID: mint(id.Order), Language: notice.Chinese, State: notice.Sent, Tries: 2, SentAt: f.clock.Now(), CreatedAt: f.clock.Now()}
	other := row
	other.ID, other.MerchantID, other.Type = mint(id.Notice), mint(id.Merchant), "order.closed"
	f.store.notices.rows = []notice.Row{row, other}
	for _, path := range []string{"/v1/notifications", "/v1/notifications?medium=mail&status=sent&user_id=" + user, "/v1/users/" + user + "/notifications"} {
		a := f.do(t, send(http.MethodGet, path, ""))
		if a.status != 200 || !strings.Contains(string(a.body), row.ID) || !strings.Contains(string(a.body), `"text":"text of order.paid"`) || strings.Contains(string(a.body), other.ID) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := f.do(t, send(http.MethodGet, "/v1/users/"+user+"/notifications?status=failed", "")); strings.Contains(string(a.body), row.ID) {
		t.Errorf("%s", a.body)
	}
}
