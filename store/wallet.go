package store

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/user"
)

const sqlWallets = `
	SELECT a.currency, a.code, a.id, -a.balance
	FROM unnest($2::text[]) AS n(code) CROSS JOIN LATERAL (
		SELECT currency, code, id, balance FROM accounts WHERE book = $1 AND code = n.code OFFSET 0) a
	ORDER BY a.currency, a.code`

// Wallets are what a user has, by currency. Another merchant's user is NotFound (I-25).
func (s *Store) Wallets(ctx context.Context, ref user.Ref) ([]user.Wallet, error) {
	db, err := s.db(ref.Book)
	if err != nil {
		return nil, err
	}
	if _, err := s.readUser(ctx, db.pool, ref, ""); err != nil {
		return nil, err
	}
	list, err := wallets(ctx, db.pool, ref.Book, ref.ID)
	return list, failure(err)
}

func wallets(ctx context.Context, q querier, book id.Book, userID string) ([]user.Wallet, error) {
	base := "user/" + userID + "/"
	rows, err := q.Query(ctx, sqlWallets, book, []string{base + "wallet", base + "held", base + "rebate_pending", base + "rebate_debt"})
	if err != nil {
		return nil, err
	}
	var list []user.Wallet
	var currency money.Currency
	var code, account string
	var minor int64
	_, err = pgx.ForEachRow(rows, []any{&currency, &code, &account, &minor}, func() error {
		if len(list) == 0 || list[len(list)-1].Currency != currency {
			list = append(list, user.Wallet{Currency: currency})
		}
		w := &list[len(list)-1]
		switch strings.TrimPrefix(code, base) {
		case "wallet":
			w.AccountID, w.Available = account, minor
		case "held":
			w.Held = minor
		case "rebate_pending":
			w.Pending = minor
		case "rebate_debt":
			w.Debt = -minor
		}
		return nil
	})
	return list, err
}
