package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/rule"
)

// The number of a new version is given under the key's own uniqueness: whoever comes second takes the next one.
const sqlSaveRules = `
	INSERT INTO rule_sets (book, merchant_id, kind, version, definition, note, by_kind, by_id, request_id, created_at)
	SELECT @book, @merchant, @kind, coalesce(max(version), 0) + 1, @definition, @note, @by_kind, @by_id, nullif(@request, ''), @at
	FROM rule_sets WHERE book = @book AND merchant_id = @merchant AND kind = @kind
	RETURNING version`

// saveTries bounds how often a version's number is tried for.
const saveTries = 10

// SaveRules keeps a rule set as its owner's next version, and returns it. Nobody goes by it before it is activated. That it
// compiles is the caller's to know.
func (s *Store) SaveRules(ctx context.Context, r rule.Set) (rule.Set, error) {
	db, err := s.db(r.Book)
	if err != nil {
		return r, err
	}
	r.CreatedAt = s.clock()
	for try := 1; ; try++ {
		err := db.pool.QueryRow(ctx, sqlSaveRules, pgx.NamedArgs{"book": r.Book, "merchant": r.MerchantID, "kind": r.Kind,
			"definition": string(r.Definition), "note": r.Note, "by_kind": r.By.Kind, "by_id": r.By.ID, "request": r.By.RequestID,
			"at": r.CreatedAt}).Scan(&r.Version)
		if raced(err) && try < saveTries {
			continue
		}
		return r, failure(err)
	}
}

const sqlRuleSets = `
	SELECT r.book::text, r.merchant_id, r.kind, r.version, r.definition, r.note, r.by_kind, r.by_id, r.created_at, a.version IS NOT NULL
	FROM rule_sets r LEFT JOIN active_rules a
		ON a.book = r.book AND a.merchant_id = r.merchant_id AND a.kind = r.kind AND a.version = r.version
	WHERE r.book = $1 AND r.merchant_id = $2 AND r.kind = $3`

func scanRuleSet(row pgx.CollectableRow) (r rule.Set, err error) {
	var text []byte
	err = row.Scan(&r.Book, &r.MerchantID, &r.Kind, &r.Version, &text, &r.Note, &r.By.Kind, &r.By.ID, &r.CreatedAt, &r.Active)
	r.Definition = json.RawMessage(text)
	return r, err
}

// RuleSet reads one version.
func (s *Store) RuleSet(ctx context.Context, book id.Book, merchantID string, kind rule.Kind, version int) (rule.Set, error) {
	db, err := s.db(book)
	if err != nil {
		return rule.Set{}, err
	}
	rows, _ := db.pool.Query(ctx, sqlRuleSets+` AND r.version = $4`, book, merchantID, kind, version)
	r, err := pgx.CollectExactlyOneRow(rows, scanRuleSet)
	if err == pgx.ErrNoRows {
		return r, fault.NotFound("rule set")
	}
	return r, failure(err)
}

// RuleSets lists an owner's versions, newest first, those before a version if that isn't 0.
func (s *Store) RuleSets(ctx context.Context, set rule.Set, before, limit int) (page []rule.Set, more bool, err error) {
	db, err := s.db(set.Book)
	if err != nil {
		return nil, false, err
	}
	rows, _ := db.pool.Query(ctx, sqlRuleSets+` AND ($4 = 0 OR r.version < $4) ORDER BY r.version DESC LIMIT $5`,
		set.Book, set.MerchantID, set.Kind, before, limit+1)
	list, err := pgx.CollectRows(rows, scanRuleSet)
	if len(list) > limit {
		return list[:limit], true, failure(err)
	}
	return list, false, failure(err)
}

const (
	sqlBeginRules = `
		INSERT INTO active_rules (book, merchant_id, kind, version) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`
	sqlLockRules = `SELECT version FROM active_rules WHERE book = $1 AND merchant_id = $2 AND kind = $3 FOR UPDATE`
	sqlMoveRules = `
		UPDATE active_rules SET version = $5 WHERE book = $1 AND merchant_id = $2 AND kind = $3 AND version = $4`
	sqlNoteActivation = `
		INSERT INTO rule_activations (book, merchant_id, kind, at, version, previous, by_kind, by_id, request_id, reason)
		VALUES ($1, $2, $3, $4, $5, nullif($6, 0), $7, $8, nullif($9, ''), $10)`
)

// ActivateRules puts a version in force, for the next payment that is opened anywhere. Activating what is in force changes
// nothing. A version that isn't there is NotFound.
func (s *Store) ActivateRules(ctx context.Context, a rule.Activation) (rule.Set, error) {
	set, err := s.RuleSet(ctx, a.Book, a.MerchantID, a.Kind, a.Version)
	if err != nil || set.Active {
		return set, err
	}
	err = pgx.BeginFunc(ctx, s.books[a.Book].pool, func(tx pgx.Tx) error {
		begun, err := tx.Exec(ctx, sqlBeginRules, a.Book, a.MerchantID, a.Kind, a.Version)
		if err != nil {
			return err
		}
		previous := 0
		if begun.RowsAffected() == 0 {
			if err := tx.QueryRow(ctx, sqlLockRules, a.Book, a.MerchantID, a.Kind).Scan(&previous); err != nil {
				return err
			}
			if previous == a.Version {
				return nil
			}
			if _, err := tx.Exec(ctx, sqlMoveRules, a.Book, a.MerchantID, a.Kind, previous, a.Version); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, sqlNoteActivation, a.Book, a.MerchantID, a.Kind, s.clock(), a.Version, previous, a.By.Kind, a.By.ID,
			a.By.RequestID, a.By.Reason)
		return err
	})
	set.Active = err == nil
	return set, failure(err)
}

// ruleFailed tells that a rule failed at a payment: an event of the rule set, unless the same was told a moment ago.
type ruleFailed struct{ rule.Failed }

type ruleKey struct {
	merchantID string
	kind       rule.Kind
}

// lockedRules is the state of an owner's rules.
type lockedRules struct {
	sequence int64
	rule     string
	version  int
	at       time.Time
}

const sqlLockRuleStates = `
	SELECT a.*
	FROM unnest($2::text[], $3::text[]) AS n(merchant_id, kind) CROSS JOIN LATERAL (
		SELECT merchant_id, kind, sequence, coalesce(failed_rule, ''), coalesce(failed_version, 0), failed_at
		FROM active_rules WHERE book = $1 AND merchant_id = n.merchant_id AND kind = n.kind FOR UPDATE) a`

var setFailure = updating("active_rules", `merchant_id text, kind text, sequence bigint, rule text, version int, at timestamptz`,
	`merchant_id = n.merchant_id AND kind = n.kind`, `
		sequence = n.sequence, failed_rule = n.rule, failed_version = n.version, failed_at = n.at`)

func (f ruleFailed) claim(l *locks) {
	l.rules = append(l.rules, string(f.Kind)+"/"+f.Set.MerchantID)
}

func (f ruleFailed) judge(w *work) error {
	key := ruleKey{f.Set.MerchantID, f.Kind}
	state := w.b.found.rules.get(key)
	if state == nil {
		return fault.NotFound("rule set")
	}
	if state.rule == f.Rule && state.version == f.Set.Version && w.at.Sub(state.at) < rule.Quiet {
		return nil
	}
	state.sequence++
	state.rule, state.version, state.at = f.Rule, f.Set.Version, w.at
	w.write(setFailure, string(f.Kind)+"/"+key.merchantID, key.merchantID, string(f.Kind), state.sequence, f.Rule, f.Set.Version, w.at)
	w.out.events = append(w.out.events, event{kind: string(f.Kind) + ".rule_failed", merchant: key.merchantID, object: "rule_set",
		id: string(f.Kind) + "/" + rule.Owner(key.merchantID), sequence: state.sequence,
		data: publicFailure{Object: "rule_failure", Kind: string(f.Kind), Version: f.Set.Label(), Rule: f.Rule, Failure: string(f.Failure), PaymentID: f.PaymentID}})
	return nil
}

// publicFailure is a failed rule as events show it.
type publicFailure struct {
	Object    string `json:"object"`
	Kind      string `json:"kind"`
	Version   string `json:"version"`
	Rule      string `json:"rule"`
	Failure   string `json:"failure"`
	PaymentID string `json:"payment_id"`
}

func (b *batch) queueRules(m *pgx.Batch) {
	list := b.claimed(func(l *locks) []string { return l.rules })
	if list == nil {
		return
	}
	kinds, merchants := make([]string, len(list)), make([]string, len(list))
	for i, key := range list {
		kinds[i], merchants[i] = cutKey(key)
	}
	m.Queue(sqlLockRuleStates, b.book(), merchants, kinds).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var key ruleKey
			var state lockedRules
			var at *time.Time
			if err := rows.Scan(&key.merchantID, &key.kind, &state.sequence, &state.rule, &state.version, &at); err != nil {
				return err
			}
			state.at = value(at)
			b.found.rules.find(key, state)
		}
		return rows.Err()
	})
}
