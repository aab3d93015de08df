package store_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/notice"
)

// What failed is told again once per request, whatever comes twice or at once; what was sent isn't.
func TestFailedMessagesAreToldAgain(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	ctx := t.Context()
	h.tells(notice.Mail, notice.Push)
	h.prefers(h.dossier(h.paid("N-1", cny(1234))).Payment.CustomerID, notice.Preferences{})
	h.plan()
	end := func(m notice.Medium, state notice.State) {
		for _, d := range h.due(m, time.Minute) {
			require.NoError(t, h.s.PutNotice(ctx, d.Row, notice.Verdict{State: state, Reason: "http_500", Tried: true}))
		}
	}
	ask := func(key string, edit func(*notice.Resend)) (notice.Resent, error) {
		r := notice.Resend{Book: h.Book, MerchantID: h.MerchantID, By: h.by(), Idempotency: h.key("resend", key, key)}
		edit(&r)
		return h.s.Resend(ctx, r)
	}
	all := func(*notice.Resend) {}
	end(notice.Mail, notice.Failed)
	end(notice.Push, notice.Sent)
	var told atomic.Int32
	together(4, func(int) {
		done, err := ask("k1", all)
		require.NoError(t, err)
		require.Equal(t, 1, done.Count, "the mail alone")
		if !done.Replayed {
			told.Add(1)
		}
	})
	require.EqualValues(t, 1, told.Load(), "I-20")
	due := h.due(notice.Mail, time.Minute)
	require.Len(t, due, 1)
	require.Zero(t, due[0].Row.Tries, "its schedule begins anew")
	require.NoError(t, h.s.PutNotice(ctx, due[0].Row, notice.Verdict{State: notice.Failed, Tried: true}))
	done, err := ask("k1", all)
	require.NoError(t, err)
	require.True(t, done.Replayed)
	require.Empty(t, h.due(notice.Mail, time.Minute), "a repeat tells nothing")

	rows := map[notice.Medium]notice.Row{}
	for _, r := range h.notices() {
		rows[r.Medium] = r
	}
	one := func(noticeID string) func(*notice.Resend) { return func(r *notice.Resend) { r.NoticeID = noticeID } }
	_, err = ask("k2", one(rows[notice.Push].ID))
	require.True(t, fault.Is(err, fault.KindConflict, "notification_sent"), "%v", err)
	_, err = ask("k2", one(h.s.Mint(id.Notice)))
	require.True(t, fault.Is(err, fault.KindNotFound, ""), "a refused request keeps no key: %v", err)
	_, err = ask("k2", func(r *notice.Resend) { r.MerchantID, r.NoticeID = h.s.Mint(id.Merchant), rows[notice.Mail].ID })
	require.True(t, fault.Is(err, fault.KindNotFound, ""), "I-25: %v", err)
	done, err = ask("k2", one(rows[notice.Mail].ID))
	require.NoError(t, err)
	require.Equal(t, notice.Resent{Count: 1}, done)
	_, err = ask("k3", func(r *notice.Resend) { r.UserID = h.s.Mint(id.User) })
	require.Equal(t, "user_id", fault.As(err).Param)
	for _, narrow := range []func(*notice.Resend){func(r *notice.Resend) { r.Media = []notice.Medium{notice.SMS} }, func(r *notice.Resend) { r.Types = []string{"order.closed"} },
		func(r *notice.Resend) { r.To = time.Now().Add(-time.Hour) }, func(r *notice.Resend) { r.States = []notice.State{notice.Skipped} }} {
		done, err = ask("k"+h.s.Mint(id.Request), narrow)
		require.NoError(t, err)
		require.Zero(t, done.Count)
	}
	var who []string
	require.NoError(t, h.db.Owner.QueryRow(ctx, `SELECT array_agg(by_kind || ' ' || by_id || ' ' || count ORDER BY at) FROM notice_resends WHERE count > 0`).Scan(&who))
	require.Equal(t, []string{"merchant " + h.KeyID + " 1", "merchant " + h.KeyID + " 1"}, who)
}
