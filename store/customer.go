package store

import (
	"encoding/json"
	"maps"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// customerClaim is the customer a receiving Step names: an existing one by id, or one that is upserted by the merchant's
// reference. A customer without either is new each time.
type customerClaim struct {
	payment.Customer
	merchantID string
}

func (c *customerClaim) key() userKey {
	if c.Existing {
		return userKey{c.merchantID, c.ID, ""}
	}
	return userKey{c.merchantID, "", c.Reference}
}

// userKey is how a request names a customer: by id or by reference.
type userKey struct{ merchantID, id, reference string }

type userRow struct {
	id     string
	sealed []byte // its details
	erased bool
}

const sqlUsers = `
	SELECT n.merchant_id, n.id, '', u.id, d.details_sealed, u.status = 'erased'
	FROM unnest($2::text[], $3::text[]) AS n(merchant_id, id)
	CROSS JOIN LATERAL (SELECT id, status FROM users WHERE book = $1 AND id = n.id AND merchant_id = n.merchant_id OFFSET 0) u
	LEFT JOIN LATERAL (SELECT details_sealed FROM user_details WHERE book = $1 AND user_id = u.id OFFSET 0) d ON true`

const sqlUsersByReference = `
	SELECT n.merchant_id, '', n.reference, u.id, d.details_sealed, u.status = 'erased'
	FROM unnest($2::text[], $3::text[]) AS n(merchant_id, reference)
	CROSS JOIN LATERAL (
		SELECT id, status FROM users WHERE book = $1 AND merchant_id = n.merchant_id AND reference = n.reference OFFSET 0) u
	LEFT JOIN LATERAL (SELECT details_sealed FROM user_details WHERE book = $1 AND user_id = u.id OFFSET 0) d ON true`

func (b *batch) queueUsers(m *pgx.Batch) {
	var merchants, ids, owners, references []string
	for _, w := range b.works {
		switch c := w.lock.customer; {
		case c == nil:
		case c.Existing:
			merchants, ids = append(merchants, c.merchantID), append(ids, c.ID)
		case c.Reference != "":
			owners, references = append(owners, c.merchantID), append(references, c.Reference)
		}
	}
	read := func(rows pgx.Rows) error {
		for rows.Next() {
			var key userKey
			var u userRow
			if err := rows.Scan(&key.merchantID, &key.id, &key.reference, &u.id, &u.sealed, &u.erased); err != nil {
				return err
			}
			b.found.users.find(key, u)
		}
		return rows.Err()
	}
	if ids != nil {
		m.Queue(sqlUsers, b.book(), merchants, ids).Query(read)
	}
	if references != nil {
		m.Queue(sqlUsersByReference, b.book(), owners, references).Query(read)
	}
}

var insertUser = newWriter("users", `id text, merchant_id text, reference text, created_at timestamptz`, `
	INSERT INTO users (book, id, merchant_id, reference, created_at)
	SELECT $1, id, merchant_id, reference, created_at FROM n ORDER BY merchant_id, reference, id`).ranked(1)

// Whoever was erased since they were read stays so: the lock makes one of the two come first (I-26).
var upsertDetails = newWriter("user_details", `user_id text, sealed bytea, at timestamptz`, `
	INSERT INTO user_details (book, user_id, details_sealed, updated_at)
	SELECT $1, n.user_id, n.sealed, n.at FROM n CROSS JOIN LATERAL (SELECT FROM users WHERE book = $1 AND id = n.user_id AND status <> 'erased' FOR SHARE) u
	ORDER BY n.user_id
	ON CONFLICT (book, user_id) DO UPDATE SET details_sealed = excluded.details_sealed, updated_at = excluded.updated_at`).ranked(2)

// customer is the id of the payment's customer, who stands or is made, with the details that came.
func (r *receive) customer(w *work) (string, error) {
	c := w.lock.customer
	var u *userRow
	if c.Existing || c.Reference != "" {
		u = w.b.found.users.get(c.key())
	}
	if u != nil && u.erased { // nothing personal comes back to where it was erased
		return "", fault.Invalid("customer_unknown", "customer.id", "the customer was erased")
	}
	if u == nil {
		if c.Existing {
			return "", fault.Invalid("customer_unknown", "customer.id", "no such customer")
		}
		u = &userRow{id: c.ID}
		if u.id == "" {
			u.id = mint(id.User, w.at)
		}
		w.write(insertUser, u.id, u.id, c.merchantID, orNull(c.Reference), w.at)
	}
	if r.details != nil && !w.s.sealsSame(u.sealed, r.Customer.Details) {
		u.sealed = r.details
		w.write(upsertDetails, u.id, u.id, r.details, w.at)
	}
	if c.Existing || c.Reference != "" {
		w.b.found.users.put(c.key(), *u)
	}
	return u.id, nil
}

// sealsSame reports whether the customer's details stand already as they came. Writing them again with each payment would
// make one customer's payments wait for each other.
func (s *Store) sealsSame(sealed []byte, details map[string]string) bool {
	if sealed == nil {
		return false
	}
	text, err := s.OpenSealed(sealed)
	var stands map[string]string
	return err == nil && json.Unmarshal(text, &stands) == nil && maps.Equal(stands, details)
}
