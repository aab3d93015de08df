package store

import (
	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
)

// holder is a user under lock, as far as moving their wallets is about them.
type holder struct {
	merchantID string
	status     string // active, frozen, closed, erased
	withdraws  bool   // has said whether wallets are paid out by themselves
}

// One statement for those who only look and those who change, so that the order of the keys is the only one: a batch that changes
// somebody locks everybody it looks at as strongly.
const (
	sqlShareHolders = `
	SELECT u.*
	FROM unnest($2::text[]) AS n(id) CROSS JOIN LATERAL (
		SELECT id, merchant_id, status, auto_withdraw IS NOT NULL FROM users WHERE book = $1 AND id = n.id FOR SHARE) u`
	sqlLockHolders = `
	SELECT u.*
	FROM unnest($2::text[]) AS n(id) CROSS JOIN LATERAL (
		SELECT id, merchant_id, status, auto_withdraw IS NOT NULL FROM users WHERE book = $1 AND id = n.id FOR UPDATE) u`
)

func (b *batch) queueHolders(m *pgx.Batch) {
	list := b.claimed(func(l *locks) []string { return append(l.holders, l.changed...) })
	if list == nil {
		return
	}
	query := sqlShareHolders
	if b.claimed(func(l *locks) []string { return l.changed }) != nil {
		query = sqlLockHolders
	}
	m.Queue(query, b.book(), list).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var key string
			var h holder
			if err := rows.Scan(&key, &h.merchantID, &h.status, &h.withdraws); err != nil {
				return err
			}
			b.found.holders.find(key, h)
		}
		return rows.Err()
	})
}

// holds answers whether the wallets of a user of this merchant may move now: NotFound for a stranger (I-25), Conflict "wallet_frozen" or
// "wallet_closed". The Step has to have claimed the user as a holder.
func (w *work) holds(merchantID, user string) error {
	return w.b.found.holders.get(user).moves(merchantID)
}

// moves is the rule of holds; nil is a user whom nobody knows.
func (h *holder) moves(merchantID string) error {
	switch {
	case h == nil || h.merchantID != merchantID:
		return fault.NotFound("user")
	case h.status == "frozen":
		return fault.Conflict("wallet_frozen", "the user's wallets are frozen")
	case h.status != "active":
		return fault.Conflict("wallet_closed", "the user's wallets are closed")
	}
	return nil
}
