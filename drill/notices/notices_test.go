// Package notices_test tells people on real parts: the outbox, PostgreSQL, a mail server and carriers over their own protocols.
package notices_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/id"
	"paysaga/domain/notice"
	"paysaga/domain/payment"
	"paysaga/drill/stage"
	"paysaga/notify/fake"
)

// ada is a customer with every address that a payment can bring.
func ada(more map[string]any) map[string]any {
	c := map[string]any{"reference": "ada-" + more["ref"].(string), "name": "Ada Lovelace", "email": more["ref"].(string) + "@people.example", "phone": "+8613800138000"}
	return map[string]any{"customer": c}
}

// row waits until the messages of an event type of a merchant stand so.
func until(t *testing.T, m *stage.Merchant, kind string, medium notice.Medium, state notice.State) notice.Row {
	t.Helper()
	var found notice.Row
	stage.Eventually(t, kind+" by "+string(medium)+" is "+string(state), func() bool {
		list, _, err := m.Stage.Store.Notices(t.Context(), notice.Filter{Book: m.Book, MerchantID: m.ID, Medium: medium, Limit: 100})
		require.NoError(t, err)
		for _, r := range list {
			if r.Type == kind && r.State == state {
				found = r
				return true
			}
		}
		return false
	})
	return found
}

func mailTo(s *stage.Stage, address string) (list []fake.Mail) {
	all, _ := s.Carriers.Mail.Got()
	for _, m := range all {
		if m.To == address {
			list = append(list, m)
		}
	}
	return list
}

func TestPeopleAreToldOnRealParts(t *testing.T) {
	t.Parallel()
	s := stage.New(t, stage.Options{Notices: true})
	t.Run("stories", func(t *testing.T) {
		for name, story := range map[string]func(*testing.T, *stage.Stage){
			"an order is paid, and a part refunded":             paidAndRefunded,
			"nobody is told by a merchant that has set nothing": silent,
			"a carrier that fails touches no money":             failingCarrier,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				story(t, s)
			})
		}
	})
	s.Audit(t)
}

func paidAndRefunded(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	m.Tells(t, func(v *notice.Settings) { v.Language = notice.Chinese })
	p := m.Pay(t, stage.Card("tok_ok"), ada(map[string]any{"ref": "paid"}))
	until(t, m, "order.paid", notice.Mail, notice.Sent)
	mails := mailTo(s, "paid@people.example")
	require.Len(t, mails, 1)
	require.Equal(t, "[test] 订单 A-1 付款成功", mails[0].Title())
	require.Equal(t, "您的订单 A-1 已收到付款 12.34 元，感谢您的购买。\n", mails[0].Body)
	require.Equal(t, `"Stage Shop" <pay@shop.example>`, mails[0].Header.Get("From"))
	refund := m.Do(t, http.MethodPost, "/v1/payments/"+p.ID+"/refunds", "r1", map[string]any{"amount": "2.34"})
	require.Less(t, refund.Code, 300, string(refund.Raw))
	row := until(t, m, "refund.succeeded", notice.SMS, notice.Sent)
	until(t, m, "refund.succeeded", notice.Mail, notice.Sent)
	require.Equal(t, "退款成功", strings.TrimPrefix(mailTo(s, "paid@people.example")[1].Title(), "[test] "))
	for _, told := range s.Carriers.SMS.Got() {
		if told.Key == row.Key() {
			require.Equal(t, []string{"+8613800138000"}, told.To)
			require.Equal(t, "您的订单 A-1 的退款 2.34 元 已完成，到账时间以银行为准。", told.Text)
		}
	}
	a := m.Do(t, http.MethodGet, "/v1/users/"+row.UserID+"/notifications?medium=sms", "", nil)
	require.Equal(t, 200, a.Code)
	require.Contains(t, string(a.Raw), "2.34 元")
	require.NotContains(t, string(a.Raw), "138001")
}

func silent(t *testing.T, s *stage.Stage) {
	quiet, loud := s.Merchant(t, payment.Terms{}), s.Merchant(t, payment.Terms{})
	loud.Tells(t, nil)
	quiet.Pay(t, stage.Card("tok_ok"), ada(map[string]any{"ref": "silent"}))
	loud.Pay(t, stage.Card("tok_ok"), ada(map[string]any{"ref": "loud"})) // after it, by the same relays
	until(t, loud, "order.paid", notice.Mail, notice.Sent)
	list, _, err := s.Store.Notices(t.Context(), notice.Filter{Book: id.Test, MerchantID: quiet.ID, Limit: 10})
	require.NoError(t, err)
	require.Empty(t, list)
	require.Empty(t, mailTo(s, "silent@people.example"))
}

func failingCarrier(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	m.Tells(t, func(v *notice.Settings) { v.Media = []notice.Medium{notice.SMS} })
	s.Carriers.SMS.Answer(func(_ int, told fake.Told) int {
		if told.Sender == "Broken Shop" {
			return http.StatusInternalServerError
		}
		return http.StatusAccepted
	})
	m.Tells(t, func(v *notice.Settings) { v.Sender = "Broken Shop" })
	p := m.Pay(t, stage.Card("tok_ok"), ada(map[string]any{"ref": "broken"}))
	require.EqualValues(t, "succeeded", p.Status)
	refund := m.Do(t, http.MethodPost, "/v1/payments/"+p.ID+"/refunds", "r1", map[string]any{"amount": "12.34"})
	require.Equal(t, http.StatusCreated, refund.Code, string(refund.Raw))
	stage.Eventually(t, "a try has failed", func() bool {
		r := until(t, m, "refund.succeeded", notice.SMS, notice.Pending)
		return r.Tries == 1 && r.Reason == "http_500" && r.NextAt.After(time.Now())
	})
}
