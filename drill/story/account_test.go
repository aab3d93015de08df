package story_test

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"paysaga/domain/ledger"
)

// cents are sums in minor units, by what they are.
type cents map[string]int64

const sqlHolds = `
	SELECT CASE WHEN code LIKE 'user/%/wallet' THEN 'wallets' WHEN code LIKE 'user/%/rebate\_pending' THEN 'promised' WHEN code LIKE 'user/%/rebate\_debt' THEN 'owed'
		WHEN code LIKE 'campaign/%/budget' THEN 'budget' WHEN code LIKE 'campaign/%/recoverable' THEN 'recoverable' WHEN code LIKE 'channel/%/clearing' THEN 'channel'
		WHEN code LIKE 'merchant/%/available' THEN 'available' WHEN code LIKE 'payout/%' THEN 'transit' ELSE 'other ' || split_part(code, '/', 1) || '/' || split_part(code, '/', 3) END,
		sum(balance)::bigint
	FROM accounts WHERE book = 'test' GROUP BY 1`

const sqlMoved = `
	SELECT j.kind, sum(greatest(e.amount, 0))::bigint FROM journals j JOIN entries e ON e.journal = j.no WHERE j.book = 'test' GROUP BY 1`

const sqlPromises = `
	SELECT 'accrued', coalesce(sum(accrued), 0)::bigint FROM rebates
	UNION ALL SELECT 'paid', coalesce(sum(settled - from_wallet - debt), 0) FROM rebates
	UNION ALL SELECT 'open', coalesce(sum(accrued - from_pending) FILTER (WHERE status = 'pending'), 0) FROM rebates
	UNION ALL SELECT 'clawed', coalesce(sum(from_pending + from_wallet + debt), 0) FROM rebates
	UNION ALL SELECT 'debt', coalesce(sum(debt), 0) FROM rebates
	UNION ALL SELECT 'released', coalesce(sum(released), 0) FROM rebates
	UNION ALL SELECT 'rebates', count(*) FROM rebates`

const sqlDone = `
	SELECT 'in', coalesce(sum(captured), 0)::bigint FROM payments
	UNION ALL SELECT 'back', coalesce(sum(amount), 0) FROM refunds WHERE status = 'succeeded'
	UNION ALL SELECT 'out', coalesce(sum(amount), 0) FROM payouts WHERE status = 'succeeded'`

func (x *story) read(sql string) cents {
	x.Helper()
	conn, err := pgx.Connect(x.Context(), x.s.Dev.PostgresURL)
	require.NoError(x, err)
	defer func() { _ = conn.Close(x.Context()) }()
	rows, err := conn.Query(x.Context(), sql)
	require.NoError(x, err)
	c := cents{}
	var what string
	var sum int64
	_, err = pgx.ForEachRow(rows, []any{&what, &sum}, func() error { c[what] = sum; return nil })
	require.NoError(x, err)
	return c
}

// account says where every cent is, and holds that it is there: the rows of payments, refunds, payouts and rebates against the accounts.
func (x *story) account(when string) {
	x.Helper()
	holds, done, promises := x.read(sqlHolds), x.read(sqlDone), x.read(sqlPromises)
	line := func(text string, minor int64) { x.say("   %-58s %14s", text, cny(minor).Decimal()) }
	x.chapter("Where every cent is, %s", when)
	line("came in from customers", done["in"])
	line("  went back to them as refunds", -done["back"])
	line("  left as withdrawals", -done["out"])
	at := done["in"] - done["back"] - done["out"]
	line("is at the channel", at)
	require.Equal(x, holds["channel"], at, "what the channel holds")

	x.say("   of which")
	sum := int64(0)
	for _, whose := range []struct{ text, account string }{{"is the merchant's", "available"}, {"is the campaign's budget, not promised", "budget"},
		{"is promised to users, not paid yet", "promised"}, {"is in users' wallets", "wallets"}, {"is on its way out", "transit"}} {
		line("  "+whose.text, -holds[whose.account])
		sum -= holds[whose.account]
	}
	for account, minor := range holds {
		if strings.HasPrefix(account, "other ") && minor != 0 {
			line("  stands on "+strings.TrimPrefix(account, "other "), -minor)
			sum -= minor
		}
	}
	require.Equal(x, at, sum, "every cent at the channel is somebody's")
	require.Equal(x, holds["owed"], -holds["recoverable"], "what users owe is what the campaign waits for")

	x.say("   the campaign's promises, %d rebates", promises["rebates"])
	for _, part := range []struct{ text, name string }{{"accrued", "accrued"}, {"  paid, and kept", "paid"}, {"  open", "open"},
		{"  taken back, since goods came back", "clawed"}, {"  given back, since the wallet is frozen", "released"}} {
		line(part.text, promises[part.name])
	}
	line("still owed by users of what was taken back", promises["debt"])
	require.Equal(x, promises["accrued"], promises["paid"]+promises["open"]+promises["clawed"]+promises["released"], "I-22")
	require.Equal(x, promises["open"], -holds["promised"], "what is promised")
	require.Equal(x, promises["debt"], holds["owed"], "what is owed")
	funded := x.read(sqlMoved)["budget_funded"]
	require.Equal(x, funded-promises["paid"]-promises["open"]-promises["debt"], -holds["budget"], "the budget is what it was funded with, less what was given and not got back")
	for _, user := range x.people {
		require.LessOrEqual(x, x.s.Balance(x.T, ledger.Chart{Book: "test", Currency: "CNY"}.Wallet(user).Code), int64(0), "I-06: a wallet below zero")
	}
}

// told waits until everybody has heard, and counts what they heard.
func (x *story) told() {
	x.until("everybody has heard", func() bool {
		return x.s.Count(x.T, `SELECT count(*) FROM notice_events`)+x.s.Count(x.T, `SELECT count(*) FROM events WHERE delivered_at IS NULL`)+
			x.s.Count(x.T, `SELECT count(*) FROM notifications WHERE status = 'pending'`) == 0
	})
	mails, _ := x.s.Carriers.Mail.Got()
	x.chapter("People were told: %d mails; one of each kind:", len(mails))
	seen := map[string]bool{}
	for _, m := range mails {
		title := strings.TrimPrefix(m.Title(), "[test] ")
		kind := strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return -1
			}
			return r
		}, title)
		if !seen[kind] {
			seen[kind] = true
			x.say("   %s · %s", title, strings.TrimSpace(m.Body))
		}
	}
	failed := x.s.Count(x.T, `SELECT count(*) FROM notifications WHERE status = 'failed'`)
	require.Zero(x, failed, "messages that failed")
	require.True(x, seen["Your order order- is paid"], fmt.Sprint(seen))
}
