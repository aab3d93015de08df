package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/notice"
	people "paysaga/domain/user"
)

// tells switches on that the shop's people are told.
func (h *shop) tells(media ...notice.Medium) {
	h.t.Helper()
	_, err := h.s.PutNoticeSettings(h.t.Context(), notice.Settings{Book: h.Book, MerchantID: h.MerchantID, Media: media, Language: notice.English, Sender: "Shop"},
		ledger.Service("test"))
	require.NoError(h.t, err)
}

func (h *shop) notices() []notice.Row {
	h.t.Helper()
	list, _, err := h.s.Notices(h.t.Context(), notice.Filter{Book: h.Book, MerchantID: h.MerchantID, Limit: 100})
	require.NoError(h.t, err)
	return list
}

// prefers writes what the user of an order's payment has chosen, and where they are reached.
func (h *shop) prefers(user string, p notice.Preferences) {
	h.t.Helper()
	text, err := json.Marshal(p)
	require.NoError(h.t, err)
	sealed, err := h.s.Seal([]byte(`{"email":"ada@people.example","phone":"+8613800138000","push_tokens":["t1"]}`))
	require.NoError(h.t, err)
	_, err = h.db.Owner.Exec(h.t.Context(), `UPDATE users SET preferences = $3, language = 'zh' WHERE book = $1 AND id = $2`, h.Book, user, string(text))
	require.NoError(h.t, err)
	_, err = h.db.Owner.Exec(h.t.Context(), `INSERT INTO user_profiles (book, user_id, profile_sealed, updated_at) VALUES ($1, $2, $3, now())
		ON CONFLICT (book, user_id) DO UPDATE SET profile_sealed = excluded.profile_sealed`, h.Book, user, sealed)
	require.NoError(h.t, err)
}

func (h *shop) plan() {
	h.t.Helper()
	for {
		if _, found := h.claim(100, 0); found == 0 {
			break
		}
	}
	_, err := h.s.PlanNotices(h.t.Context(), 100)
	require.NoError(h.t, err)
}

func (h *shop) due(m notice.Medium, lease time.Duration) []notice.Due {
	h.t.Helper()
	list, err := h.s.ClaimNotices(h.t.Context(), m, 100, lease)
	require.NoError(h.t, err)
	return list
}

// An event that leaves twice, and is planned by two at once, is told once by each medium that is wanted.
func TestAnEventIsToldOncePerPersonAndMedium(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	h.tells(notice.Media()...)
	d := h.dossier(h.paid("N-1", cny(1234)))
	h.prefers(d.Payment.CustomerID, notice.Preferences{On: []string{"orders.sms"}, Off: []string{"payments"}})
	h.plan()
	rows := h.notices()
	require.Len(t, rows, 3)
	for _, r := range rows {
		require.Equal(t, "order.paid", r.Type)
		require.Equal(t, notice.Chinese, r.Language)
	}
	_, err := h.db.Owner.Exec(t.Context(), `UPDATE events SET delivered_at = NULL`)
	require.NoError(t, err)
	h.plan()
	together(4, func(int) { _, _ = h.s.PlanNotices(t.Context(), 100) })
	require.Len(t, h.notices(), 3)
	for _, m := range notice.Media() {
		require.Len(t, h.due(m, time.Minute), 1)
		require.Empty(t, h.due(m, time.Minute), "somebody has it on a lease")
	}
}

// Who makes a try and dies leaves the message to its lease; whoever comes too late with a word about it isn't heard.
func TestAMessageIsOnALease(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	h.tells(notice.Mail)
	h.prefers(h.dossier(h.paid("N-1", cny(1234))).Payment.CustomerID, notice.Preferences{})
	h.plan()
	died := h.due(notice.Mail, -time.Second) // its lease is over already
	require.Len(t, died, 1)
	require.Equal(t, "ada@people.example", died[0].Person.Mail)
	now := h.due(notice.Mail, time.Minute)
	require.Len(t, now, 1)
	require.NoError(t, h.s.PutNotice(t.Context(), died[0].Row, notice.Verdict{State: notice.Failed, Reason: "timeout", Tried: true}))
	require.Equal(t, notice.Pending, h.notices()[0].State)
	require.NoError(t, h.s.PutNotice(t.Context(), now[0].Row, notice.Verdict{State: notice.Sent, Tried: true}))
	row := h.notices()[0]
	require.Equal(t, notice.Sent, row.State)
	require.Equal(t, 1, row.Tries)
	require.False(t, row.SentAt.IsZero())
	require.NoError(t, h.s.PutNotice(t.Context(), now[0].Row, notice.Verdict{State: notice.Failed, Tried: true}))
	require.Equal(t, notice.Sent, h.notices()[0].State)
}

func TestWhoIsReadAndByWhom(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	h.tells(notice.Mail)
	user := h.dossier(h.paid("N-1", cny(1234))).Payment.CustomerID
	h.prefers(user, notice.Preferences{})
	h.plan()
	var personal int // I-26: addresses stand sealed alone
	require.NoError(t, h.db.Owner.QueryRow(t.Context(), `SELECT count(*) FROM notifications n WHERE n::text LIKE '%people.example%' OR n::text LIKE '%138001%'`).Scan(&personal))
	require.Zero(t, personal)
	_, _, err := h.s.Notices(t.Context(), notice.Filter{Book: id.Test, MerchantID: h.s.Mint(id.Merchant), UserID: user, Limit: 10})
	require.Equal(t, fault.KindNotFound, fault.Of(err)) // I-25
	list, more, err := h.s.Notices(t.Context(), notice.Filter{Book: id.Test, MerchantID: h.MerchantID, UserID: user, State: notice.Pending, Medium: notice.Mail, Limit: 1})
	require.NoError(t, err)
	require.False(t, more)
	require.Equal(t, "N-1", func() string { f, _ := notice.FactsOf(list[0], notice.Settings{}); return f.Order }())
	_, err = h.s.DoUser(t.Context(), h.ref(user), h.by(), people.Doing{Act: people.Erase})
	require.NoError(t, err)
	due := h.due(notice.Mail, time.Minute)
	require.True(t, due[0].Person.Erased)
	require.Empty(t, due[0].Person.Mail)
}
