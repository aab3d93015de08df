package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/channels"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// ListedAccount is a channel account as people see it: without its credentials.
type ListedAccount struct {
	Book            id.Book           `json:"book"`
	ID              string            `json:"id"`
	Channel         string            `json:"channel"`
	MerchantID      string            `json:"merchant_id,omitempty"` // empty: the platform's
	FundsHolder     string            `json:"funds_holder"`
	Currencies      []string          `json:"currencies,omitempty"` // nil: all that the channel takes
	StatementZone   string            `json:"statement_zone"`
	BaseURL         string            `json:"base_url,omitempty"`
	Lane            payment.Lane      `json:"lane"`
	Priority        int               `json:"priority"`
	Standing        channels.Standing `json:"standing"`
	Reason          string            `json:"reason,omitempty"` // why it isn't active
	OwnFunds        bool              `json:"own_funds"`
	CostBasisPoints int64             `json:"cost_basis_points"`
	CostFixed       map[string]int64  `json:"cost_fixed,omitempty"`
	CreatedAt       time.Time         `json:"created_at"`
}

const sqlChannelAccounts = `
	SELECT book::text, id, channel, coalesce(merchant_id, ''), funds_holder, currencies, statement_zone, base_url, lane, priority,` + accountStanding + `, coalesce(halt_reason, ''), own_funds,
		cost_basis_points, nullif(cost_fixed, '{}'), created_at
	FROM channel_accounts WHERE book = $1
	ORDER BY channel, merchant_id NULLS FIRST, priority, id`

// ChannelAccounts lists all accounts of a book, closed ones too.
func (s *Store) ChannelAccounts(ctx context.Context, book id.Book) ([]ListedAccount, error) {
	db, err := s.db(book)
	if err != nil {
		return nil, err
	}
	rows, err := db.pool.Query(ctx, sqlChannelAccounts, book)
	if err != nil {
		return nil, failure(err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (a ListedAccount, err error) {
		return a, row.Scan(&a.Book, &a.ID, &a.Channel, &a.MerchantID, &a.FundsHolder, &a.Currencies, &a.StatementZone, &a.BaseURL,
			&a.Lane, &a.Priority, &a.Standing, &a.Reason, &a.OwnFunds, &a.CostBasisPoints, &a.CostFixed, &a.CreatedAt)
	})
	return list, failure(err)
}
