package store

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/access"
	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/refund"
)

// Merchant is a merchant in one book: the terms of test and of live are two rows with one id.
type Merchant struct {
	Book     id.Book
	ID       string // minted when empty
	ParentID string // the platform's merchant that acts for it
	Name     string
	Terms    payment.Terms // MerchantID isn't read
}

const sqlInsertMerchant = `
	INSERT INTO merchants (book, id, parent_id, name, fee_basis_points, fee_fixed, fee_on_refund, settlement_days, debt_limit, time_zone,
		day_cut_seconds, policies, created_at)
	VALUES (@book, @id, nullif(@parent, ''), @name, @bps, @fixed, @on_refund, @days, @debt, @zone, @cut, @policies, @at)`

// CreateMerchant makes a merchant in a book and returns its id.
func (s *Store) CreateMerchant(ctx context.Context, m Merchant) (string, error) {
	db, err := s.db(m.Book)
	if err != nil {
		return "", err
	}
	if m.ID == "" {
		m.ID = s.Mint(id.Merchant)
	}
	if !id.Is(id.Merchant, m.ID) || m.Name == "" {
		return "", fault.Invalid("merchant_invalid", "", "a merchant has a name, and an id mer_…")
	}
	t := m.Terms
	if t.FeeFixed == nil {
		t.FeeFixed = map[money.Currency]int64{}
	}
	zone := "UTC"
	if t.Zone != nil {
		zone = t.Zone.String()
	}
	if _, err := time.LoadLocation(zone); err != nil || zone == "Local" {
		return "", fault.Invalid("time_zone_unknown", "time_zone", "this is not an IANA time zone")
	}
	if t.RefundParts != "" && !refund.ValidParts(t.RefundParts) {
		return "", fault.Invalid("policy_invalid", "refund_parts", "refunds of two parts are divided channel_first or pro_rata")
	}
	for kind, policy := range t.Policies {
		if err := policy.Check(kind); err != nil {
			return "", err
		}
	}
	_, err = db.pool.Exec(ctx, sqlInsertMerchant, pgx.NamedArgs{"book": m.Book, "id": m.ID, "parent": m.ParentID, "name": m.Name,
		"bps": t.FeeBasisPoints, "fixed": t.FeeFixed, "on_refund": fallback(t.FeeOnRefund, "return"), "days": t.SettlementDays,
		"debt": t.DebtLimit, "zone": zone, "cut": int64(t.DayCut / time.Second), "policies": policiesOf(t), "at": s.clock()})
	return m.ID, failure(err)
}

// policiesOf is a merchant's row of policies.
func policiesOf(t payment.Terms) map[string]any {
	row := map[string]any{}
	if len(t.Policies) > 0 {
		row["cases"] = t.Policies
	}
	if t.RefundParts != "" {
		row["refund_parts"] = t.RefundParts
	}
	return row
}

const sqlSetRefundParts = `UPDATE merchants SET policies = policies || jsonb_build_object('refund_parts', $3::text) WHERE book = $1 AND id = $2`

// SetRefundParts changes how refunds of a merchant's payments of two parts are divided from now on: refund.ChannelFirst or refund.ProRata.
func (s *Store) SetRefundParts(ctx context.Context, book id.Book, merchantID, how string) error {
	db, err := s.db(book)
	if err != nil {
		return err
	}
	if !refund.ValidParts(how) {
		return fault.Invalid("policy_invalid", "refund_parts", "refunds of two parts are divided channel_first or pro_rata")
	}
	tag, err := db.pool.Exec(ctx, sqlSetRefundParts, book, merchantID, how)
	if err == nil && tag.RowsAffected() == 0 {
		return fault.NotFound("merchant")
	}
	return failure(err)
}

const sqlSetCasePolicies = `
	UPDATE merchants SET policies = jsonb_set(policies, '{cases}', coalesce(policies->'cases', '{}') || $3::jsonb) WHERE book = $1 AND id = $2`

// SetCasePolicies changes what becomes of a merchant's cases without a person, for the kinds given. Cases that are open keep the policy
// that they were opened under.
func (s *Store) SetCasePolicies(ctx context.Context, book id.Book, merchantID string, cases exception.Policies) error {
	db, err := s.db(book)
	if err != nil {
		return err
	}
	for kind, policy := range cases {
		if err := policy.Check(kind); err != nil {
			return err
		}
	}
	tag, err := db.pool.Exec(ctx, sqlSetCasePolicies, book, merchantID, cases)
	if err == nil && tag.RowsAffected() == 0 {
		return fault.NotFound("merchant")
	}
	return failure(err)
}

const sqlMerchants = `
	SELECT book::text, coalesce(parent_id, ''), name, id, fee_basis_points, fee_fixed, fee_on_refund, settlement_days, debt_limit,
		time_zone, day_cut_seconds, policies
	FROM merchants WHERE book = $1 AND ($2 = '' OR id = $2) ORDER BY id`

// Merchants lists a book's merchants with their terms.
func (s *Store) Merchants(ctx context.Context, book id.Book) ([]Merchant, error) {
	return s.merchants(ctx, book, "")
}

// Merchant reads one.
func (s *Store) Merchant(ctx context.Context, book id.Book, merchantID string) (Merchant, error) {
	list, err := s.merchants(ctx, book, merchantID)
	if err == nil && (merchantID == "" || len(list) == 0) {
		return Merchant{}, fault.NotFound("merchant")
	} else if err != nil {
		return Merchant{}, err
	}
	return list[0], nil
}

func (s *Store) merchants(ctx context.Context, book id.Book, merchantID string) ([]Merchant, error) {
	db, err := s.db(book)
	if err != nil {
		return nil, err
	}
	rows, err := db.pool.Query(ctx, sqlMerchants, book, merchantID)
	if err != nil {
		return nil, failure(err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m Merchant, err error) {
		m.Terms, err = scanTerms(row, &m.Book, &m.ParentID, &m.Name)
		m.ID = m.Terms.MerchantID
		return m, err
	})
	return list, failure(err)
}

const sqlInsertOperator = `INSERT INTO operators (id, name, public_key, created_at) VALUES ($1, $2, $3, $4)`

// CreateOperator makes an operator and returns the private key with which they sign decisions. It can't be had again.
func (s *Store) CreateOperator(ctx context.Context, name string) (operatorID string, private ed25519.PrivateKey, err error) {
	if name == "" {
		return "", nil, fault.Invalid("operator_invalid", "name", "an operator has a name")
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", nil, fault.Internal("no randomness", err)
	}
	operatorID = s.Mint(id.Operator)
	_, err = s.dbs[0].pool.Exec(ctx, sqlInsertOperator, operatorID, name, []byte(public), s.clock())
	return operatorID, private, failure(err)
}

const sqlOperator = `SELECT id, name, public_key, revoked_at IS NOT NULL FROM operators WHERE id = $1`

// Operator reads one, revoked ones included.
func (s *Store) Operator(ctx context.Context, operatorID string) (access.Operator, error) {
	var o access.Operator
	var key []byte
	err := s.dbs[0].pool.QueryRow(ctx, sqlOperator, operatorID).Scan(&o.ID, &o.Name, &key, &o.Revoked)
	if err == pgx.ErrNoRows {
		return o, fault.NotFound("operator")
	}
	o.PublicKey = key
	return o, failure(err)
}

const sqlRevokeOperator = `UPDATE operators SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1`

// RevokeOperator ends an operator's signatures at once, and their API keys within CacheFor.
func (s *Store) RevokeOperator(ctx context.Context, operatorID string) error {
	tag, err := s.dbs[0].pool.Exec(ctx, sqlRevokeOperator, operatorID, s.clock())
	if err == nil && tag.RowsAffected() == 0 {
		return fault.NotFound("operator")
	}
	s.cache.keys.forget()
	return failure(err)
}
