package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// ChannelAccount is an account at a channel as an administrator gives it.
type ChannelAccount struct {
	ID            string // minted when empty
	Book          id.Book
	Channel       string
	MerchantID    string // empty: the platform's, open to every merchant of the book
	FundsHolder   string // platform (default), merchant or channel
	Currencies    []string
	StatementZone string // default UTC
	BaseURL       string
	Credentials   map[string]string // stored sealed
	Lane          payment.Lane      // default standard
	Priority      int               // smaller first
	// CostBasisPoints and CostFixed (currency → minor units) are what the channel takes of a payment.
	CostBasisPoints int64
	CostFixed       map[string]int64
	Limits          channels.Limits // none by default
}

const sqlInsertChannelAccount = `
	INSERT INTO channel_accounts (book, id, channel, merchant_id, funds_holder, currencies, statement_zone, base_url, credentials_sealed,
		lane, priority, created_at, cost_basis_points, cost_fixed, own_funds, limits)
	VALUES (@book, @id, @channel, nullif(@merchant_id, ''), @holder, @currencies, @zone, @base_url, @sealed, @lane, @priority, @at,
		@cost, @cost_fixed, @own, @limits)`

// AddChannelAccount opens an account and returns its id.
func (s *Store) AddChannelAccount(ctx context.Context, a ChannelAccount) (string, error) {
	db, err := s.db(a.Book)
	if err != nil {
		return "", err
	}
	if a.ID == "" {
		a.ID = s.Mint(id.ChannelAccount)
	}
	a.FundsHolder, a.StatementZone = fallback(a.FundsHolder, "platform"), fallback(a.StatementZone, "UTC")
	a.Lane = payment.Lane(fallback(string(a.Lane), string(payment.Standard)))
	if !id.Is(id.ChannelAccount, a.ID) || a.Channel == "" {
		return "", fault.Invalid("channel_account_invalid", "", "a channel account has a channel, and an id cha_…")
	}
	if a.FundsHolder == "merchant" && a.MerchantID == "" {
		return "", fault.Invalid("channel_account_invalid", "merchant_id", "an account whose funds its merchant holds is a merchant's")
	}
	if err := a.Limits.Check(); err != nil {
		return "", err
	}
	if _, err := time.LoadLocation(a.StatementZone); err != nil {
		return "", fault.Invalid("time_zone_unknown", "statement_zone", "this is not an IANA time zone")
	}
	text, err := json.Marshal(a.Credentials)
	if err != nil {
		return "", fault.Internal("credentials that are no JSON", err)
	}
	sealed, err := s.Seal(text)
	if err != nil {
		return "", err
	}
	_, err = db.pool.Exec(ctx, sqlInsertChannelAccount, pgx.NamedArgs{"book": a.Book, "id": a.ID, "channel": a.Channel,
		"merchant_id": a.MerchantID, "holder": a.FundsHolder, "currencies": a.Currencies, "zone": a.StatementZone,
		"base_url": a.BaseURL, "sealed": sealed, "lane": a.Lane, "priority": a.Priority, "at": s.clock(),
		"cost": a.CostBasisPoints, "cost_fixed": costs(a.CostFixed), "own": a.FundsHolder == "merchant", "limits": a.Limits})
	s.cache.open.forget()
	s.cache.own.forget()
	return a.ID, failure(err)
}

// costs is an object also where there is none.
func costs(fixed map[string]int64) map[string]int64 {
	if fixed == nil {
		return map[string]int64{}
	}
	return fixed
}

func fallback(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// accountStanding is channels.Standing of a row. One that somebody suspended by hand has no halt, and counts as paused.
const accountStanding = `
	CASE WHEN status = 'active' THEN 'active' WHEN status = 'closed' THEN 'disabled' ELSE coalesce(halt, 'paused') END`

const sqlOpenChannelAccounts = `
	SELECT id, channel, lane, priority, currencies, cost_basis_points, nullif(cost_fixed, '{}'), own_funds,` + accountStanding + `, coalesce(halt_reason, '')
	FROM channel_accounts
	WHERE book = $1 AND (status = 'active' OR halt IS NOT NULL) AND (merchant_id IS NULL OR merchant_id = $2)
	ORDER BY merchant_id IS NULL, priority, id`

// OpenAccounts lists the accounts that a merchant may be paid over: its own first, then the platform's; those that an operator has
// halted too, since plans say so. It may be CacheFor old.
func (s *Store) OpenAccounts(ctx context.Context, book id.Book, merchantID string) ([]channels.OpenAccount, error) {
	db, err := s.db(book)
	if err != nil {
		return nil, err
	}
	return s.cache.open.get([2]string{string(book), merchantID}, func() ([]channels.OpenAccount, error) {
		rows, err := db.pool.Query(ctx, sqlOpenChannelAccounts, book, merchantID)
		if err != nil {
			return nil, failure(err)
		}
		list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (a channels.OpenAccount, err error) {
			return a, row.Scan(&a.ID, &a.Channel, &a.Lane, &a.Priority, &a.Currencies, &a.CostBasisPoints, &a.CostFixed, &a.OwnFunds, &a.Standing, &a.Reason)
		})
		return list, failure(err)
	})
}

const sqlChannelAccount = `
	SELECT id, channel, book::text, base_url, credentials_sealed, limits FROM channel_accounts
	WHERE id = $1 AND book = ANY($2::text[]::book[])`

// Account reads an account of a channel with its credentials opened; its book is its own. A suspended or closed account is
// still read: what was charged there still calls back. It may be CacheFor old.
func (s *Store) Account(ctx context.Context, channel, accountID string) (channels.Account, error) {
	for _, db := range s.dbs {
		a, err := s.account(ctx, db, accountID)
		if fault.Is(err, fault.KindNotFound, "") || (err == nil && a.Channel != channel) {
			continue
		}
		return a, err
	}
	return channels.Account{}, fault.NotFound("channel account")
}

// AccountByID reads an account whatever its channel, as Account does.
func (s *Store) AccountByID(ctx context.Context, accountID string) (channels.Account, error) {
	for _, db := range s.dbs {
		if a, err := s.account(ctx, db, accountID); !fault.Is(err, fault.KindNotFound, "") {
			return a, err
		}
	}
	return channels.Account{}, fault.NotFound("channel account")
}

func (s *Store) account(ctx context.Context, db *database, accountID string) (channels.Account, error) {
	return s.cache.accounts.get(accountID, func() (channels.Account, error) {
		var a channels.Account
		var sealed []byte
		err := db.pool.QueryRow(ctx, sqlChannelAccount, accountID, bookNames(db.books)).Scan(&a.ID, &a.Channel, &a.Book, &a.BaseURL, &sealed, &a.Limits)
		if err == pgx.ErrNoRows {
			return a, fault.NotFound("channel account")
		} else if err != nil {
			return a, failure(err)
		}
		text, err := s.OpenSealed(sealed)
		if err != nil {
			return a, err
		}
		if err := json.Unmarshal(text, &a.Credentials); err != nil {
			return a, fault.Internal("credentials can't be read", err)
		}
		return a, nil
	})
}

const sqlOwnFunds = `SELECT id FROM channel_accounts WHERE book = $1 AND merchant_id = $2 AND own_funds ORDER BY id`

// ownFunds are the accounts of a merchant whose money never becomes ours, whatever their standing; nil: it has none.
func (s *Store) ownFunds(db *database, book id.Book, merchantID string) ([]string, error) {
	return s.cache.own.get([2]string{string(book), merchantID}, func() ([]string, error) {
		ctx, stop := context.WithTimeout(context.Background(), 5*time.Second) // a Step is made ready without a context
		defer stop()
		rows, err := db.pool.Query(ctx, sqlOwnFunds, book, merchantID)
		if err != nil {
			return nil, failure(err)
		}
		list, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if len(list) == 0 {
			list = nil
		}
		return list, failure(err)
	})
}
