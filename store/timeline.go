package store

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// A payment's story is told by the tables that already hold it. Each query answers with a time, a text for people, and data;
// none of them reads a sealed column.

const sqlStoryRequest = `
	SELECT p.created_at, 'request', 'received over the API for ' || CASE p.order_id WHEN '' THEN 'the wallet of ' || p.customer_id ELSE 'order ' || p.order_reference END,
		jsonb_strip_nulls(jsonb_build_object('order_id', nullif(p.order_id, ''), 'amount_minor', p.amount, 'currency', p.currency, 'method', p.method,
			'by', c.by_kind, 'principal', c.by_id, 'request_id', c.request_id))
	FROM payments p LEFT JOIN causes c ON c.book = p.book AND c.cause = p.id || ':rc1'
	WHERE p.book = $1 AND p.id = $2`

const sqlStoryOpened = `
	SELECT least(p.opened_at, (SELECT min(a.born_at) FROM attempts a WHERE a.book = p.book AND a.payment_id = p.id)), 'risk', 'risk says ' || (p.risk->>'decision') || ': ' || coalesce(p.risk->>'reason', ''), p.risk
	FROM payments p WHERE p.book = $1 AND p.id = $2 AND p.opened_at IS NOT NULL AND p.risk IS NOT NULL
	UNION ALL
	SELECT (p.risk->'again'->>'at')::timestamptz, 'risk', 'judged again, risk says ' || (p.risk->'again'->>'decision'), p.risk->'again'
	FROM payments p WHERE p.book = $1 AND p.id = $2 AND p.risk ? 'again'
	UNION ALL
	SELECT least(p.opened_at, (SELECT min(a.born_at) FROM attempts a WHERE a.book = p.book AND a.payment_id = p.id)), 'routing', 'routed: ' || coalesce(p.plan->>'reason', ''), p.plan
	FROM payments p WHERE p.book = $1 AND p.id = $2 AND p.opened_at IS NOT NULL AND p.plan IS NOT NULL`

const sqlStoryIntents = `
	SELECT a.born_at, 'intent', 'attempt ' || a.ordinal || ' at ' || a.channel || ' (' || a.lane || ' lane)',
		jsonb_strip_nulls(jsonb_build_object('key', a.payment_id || ':ch' || a.ordinal, 'channel', a.channel, 'channel_account', a.channel_account,
			'request_hash', encode(a.request_hash, 'hex'), 'verdict', a.verdict, 'dead', a.dead, 'channel_id', a.channel_id,
			'decline_code', a.decline_code))
	FROM attempts a WHERE a.book = $1 AND a.payment_id = $2 ORDER BY a.ordinal`

const sqlStoryCalls = `
	SELECT c.started_at, 'channel_call', c.operation || ' at ' || c.channel || ': ' || coalesce(c.verdict, c.fault, 'no answer'),
		jsonb_strip_nulls(jsonb_build_object('key', c.key, 'channel_account', c.channel_account, 'operation', c.operation,
			'duration_us', c.duration_us, 'verdict', c.verdict, 'fault', c.fault, 'note', c.note))
	FROM channel_calls c WHERE c.book = $1 AND c.business_id = $2 ORDER BY c.started_at`

const sqlStoryCallbacks = `
	SELECT c.received_at, 'callback', 'callback from ' || c.channel || ': ' || coalesce(c.outcome->>'verdict', c.subject),
		jsonb_strip_nulls(jsonb_build_object('id', c.id, 'event_id', c.event_id, 'reference', c.reference, 'verdict', c.outcome->>'verdict',
			'tries', c.tries, 'disposition', c.disposition))
	FROM callbacks c WHERE c.book = $1 AND c.business_id = $2 ORDER BY c.received_at`

// A cause begins with its business id, so a payment's causes are one range of the primary key; ';' follows ':'.
const sqlStoryJournals = `
	SELECT booked_at(j.no), 'journal', 'booked: ' || j.kind,
		jsonb_strip_nulls(jsonb_build_object('journal', j.no, 'cause', j.cause, 'kind', j.kind, 'effective_at', j.effective_at,
			'reverses', j.reverses, 'legs', (
				SELECT jsonb_agg(jsonb_build_object('account', a.code, 'currency', a.currency, 'minor', e.amount) ORDER BY e.leg)
				FROM entries e JOIN accounts a ON a.no = e.account WHERE e.journal = j.no)))
	FROM (
		SELECT $2 AS id UNION ALL SELECT k.id FROM captures k WHERE k.payment_id = $2 AND k.book = $1) o
	CROSS JOIN LATERAL (
		SELECT journal FROM causes WHERE book = $1 AND cause >= o.id || ':' AND cause < o.id || ';' AND journal IS NOT NULL OFFSET 0) c
	JOIN journals j ON j.no = c.journal ORDER BY j.no`

const sqlStoryCaptures = `
	SELECT k.born_at, 'intent', 'capture ' || k.ordinal || ' at ' || k.channel || CASE WHEN k.final THEN ', the last' ELSE '' END,
		jsonb_strip_nulls(jsonb_build_object('key', k.id || ':cp1', 'channel', k.channel, 'channel_account', k.channel_account,
			'request_hash', encode(k.request_hash, 'hex'), 'amount_minor', k.amount, 'currency', k.currency, 'status', k.status,
			'in_doubt', k.in_doubt, 'channel_id', k.channel_id, 'failure_code', k.failure_code))
	FROM captures k WHERE k.payment_id = $2 AND k.book = $1 ORDER BY k.ordinal`

const sqlStoryEvents = `
	SELECT e.created_at, 'event', e.type,
		jsonb_strip_nulls(jsonb_build_object('id', e.id, 'sequence', e.sequence, 'status', e.data->>'status', 'delivered_at', e.delivered_at))
	FROM (
		SELECT $2 AS id UNION ALL SELECT k.id FROM captures k WHERE k.payment_id = $2 AND k.book = $1) o
	JOIN events e ON e.book = $1 AND e.object_id = o.id ORDER BY e.no`

// A delivery is told once: when it was heard, else at its last try. Endpoints' URLs aren't part of a payment's story.
const sqlStoryDeliveries = `
	SELECT coalesce(d.delivered_at, d.tried_at, d.created_at), 'delivery', d.type || ' to ' || d.endpoint_id || ': ' || d.status,
		jsonb_strip_nulls(jsonb_build_object('event', d.event_id, 'endpoint', d.endpoint_id, 'sequence', d.sequence, 'status', d.status,
			'tries', d.tries, 'reason', d.last->>'reason', 'http_status', d.last->'status', 'next_at', d.next_at))
	FROM events e JOIN deliveries d ON d.book = e.book AND d.event_id = e.id
	WHERE e.book = $1 AND e.object_id = $2 ORDER BY d.sequence`

const sqlStoryActs = `
	SELECT a.at, 'act', a.act || coalesce(': ' || a.decision, '') || ' by ' || a.actor,
		jsonb_strip_nulls(jsonb_build_object('act', a.act, 'decision', a.decision, 'actor', a.actor, 'verified', a.verified, 'reason', a.reason))
	FROM acts a WHERE a.book = $1 AND a.payment_id = $2 ORDER BY a.at`

const sqlStoryCases = `
	SELECT c.opened_at, 'case', 'case opened: ' || c.kind,
		jsonb_strip_nulls(jsonb_build_object('id', c.id, 'kind', c.kind, 'reason', c.reason, 'amount_minor', c.amount, 'currency', c.currency))
	FROM cases c WHERE c.book = $1 AND c.payment_id = $2
	UNION ALL
	SELECT c.decided_at, 'case', 'case decided: ' || c.kind || ', ' || c.decision,
		jsonb_strip_nulls(jsonb_build_object('id', c.id, 'decision', c.decision, 'actor', c.actor, 'verified', c.verified,
			'reason', c.decision_reason, 'refund_id', c.refund_id))
	FROM cases c WHERE c.book = $1 AND c.payment_id = $2 AND c.decided_at IS NOT NULL AND c.closed_at IS DISTINCT FROM c.decided_at
	UNION ALL
	SELECT c.closed_at, 'case', 'case closed: ' || c.kind || ', ' || c.decision,
		jsonb_strip_nulls(jsonb_build_object('id', c.id, 'decision', c.decision, 'actor', c.actor, 'reason', c.decision_reason))
	FROM cases c WHERE c.book = $1 AND c.payment_id = $2 AND c.closed_at IS NOT NULL`

const sqlStoryRefunds = `
	SELECT r.created_at, 'request', 'refund ' || CASE r.source WHEN 'merchant' THEN 'received' ELSE 'of a case' END || ': ' || r.id,
		jsonb_strip_nulls(jsonb_build_object('id', r.id, 'amount_minor', r.amount, 'currency', r.currency, 'status', r.status, 'reason', r.reason,
			'case_id', r.case_id, 'failure_code', r.failure_code, 'by', c.by_kind, 'principal', c.by_id, 'request_id', c.request_id))
	FROM refunds r LEFT JOIN causes c ON c.book = r.book AND c.cause = r.id || ':rc1'
	WHERE r.book = $1 AND r.payment_id = $2`

const sqlStoryRefundIntents = `
	SELECT a.born_at, 'intent', 'refund try ' || a.ordinal || ' at ' || a.channel,
		jsonb_strip_nulls(jsonb_build_object('key', a.refund_id || ':rf' || a.ordinal, 'channel', a.channel, 'channel_account', a.channel_account,
			'request_hash', encode(a.request_hash, 'hex'), 'verdict', a.verdict, 'dead', a.dead, 'channel_id', a.channel_id,
			'decline_code', a.decline_code))
	FROM refunds r JOIN refund_attempts a ON a.book = r.book AND a.refund_id = r.id
	WHERE r.book = $1 AND r.payment_id = $2 ORDER BY a.born_at`

// ofRefunds tells of each of a payment's refunds what sql tells of a payment.
func ofRefunds(sql string) string {
	told := strings.NewReplacer("$1", "r.book", "$2", "r.id").Replace(sql)
	return `SELECT s.* FROM refunds r CROSS JOIN LATERAL (` + told + `) s(at, kind, text, data) WHERE r.book = $1 AND r.payment_id = $2`
}

const sqlStoryDisputes = `
	SELECT d.opened_at, 'dispute', 'dispute opened at ' || d.channel || ': ' || coalesce(d.reason, 'no reason given'),
		jsonb_strip_nulls(jsonb_build_object('id', d.id, 'channel_dispute_id', d.channel_id, 'amount_minor', d.amount, 'currency', d.currency,
			'status', d.status, 'reason', d.reason, 'said_at', d.said_at))
	FROM disputes d WHERE d.book = $1 AND d.payment_id = $2`

// disputeStory tells of a payment's disputes as refundStory does of its refunds.
var disputeStory = []string{sqlStoryDisputes, ofDisputes(sqlStoryJournals), ofDisputes(sqlStoryEvents), ofDisputes(sqlStoryDeliveries)}

func ofDisputes(sql string) string {
	return strings.ReplaceAll(ofRefunds(sql), "FROM refunds r", "FROM disputes r")
}

// refundStory is told beside story.
var refundStory = []string{sqlStoryRefunds, sqlStoryRefundIntents, ofRefunds(sqlStoryCalls), ofRefunds(sqlStoryCallbacks), ofRefunds(sqlStoryJournals),
	ofRefunds(sqlStoryEvents), ofRefunds(sqlStoryDeliveries)}

// story lists the queries in the order in which things of one instant happen.
var story = []string{sqlStoryRequest, sqlStoryOpened, sqlStoryIntents, sqlStoryCaptures, sqlStoryCalls, sqlStoryCallbacks, sqlStoryJournals,
	sqlStoryEvents, sqlStoryDeliveries,
	sqlStoryActs, sqlStoryCases}

// Timeline tells all that happened to a payment, in order of time. Another merchant's payment is NotFound (I-25).
func (s *Store) Timeline(ctx context.Context, book id.Book, merchantID, paymentID string) ([]payment.Occurrence, error) {
	if _, err := s.Payment(ctx, book, merchantID, paymentID); err != nil {
		return nil, err
	}
	var all []payment.Occurrence
	b := &pgx.Batch{}
	for _, sql := range slices.Concat(story, refundStory, disputeStory) {
		b.Queue(sql, book, paymentID).Query(func(rows pgx.Rows) error {
			list, err := pgx.CollectRows(rows, scanOccurrence)
			all = append(all, list...)
			return err
		})
	}
	if err := s.books[book].pool.SendBatch(ctx, b).Close(); err != nil {
		return nil, failure(err)
	}
	slices.SortStableFunc(all, func(a, b payment.Occurrence) int { return a.At.Compare(b.At) })
	return all, nil
}

func scanOccurrence(row pgx.CollectableRow) (payment.Occurrence, error) {
	var o payment.Occurrence
	var text *string
	var data []byte
	if err := row.Scan(&o.At, &o.Kind, &text, &data); err != nil {
		return o, err
	}
	if text != nil {
		o.Text = *text
	}
	if data != nil {
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber() // float64 would lose minor units beyond 2^53
		if err := d.Decode(&o.Data); err != nil {
			return o, fault.Internal("a line of a timeline can't be read", err)
		}
	}
	decimals(o.Data)
	for _, leg := range asList(o.Data["legs"]) {
		if m, ok := leg.(map[string]any); ok {
			decimals(m)
		}
	}
	o.At = o.At.UTC().Truncate(time.Microsecond)
	return o, nil
}

func asList(v any) []any {
	list, _ := v.([]any)
	return list
}

// decimals shows minor units as the API shows amounts.
func decimals(data map[string]any) {
	cur, _ := data["currency"].(string)
	for from, to := range map[string]string{"minor": "amount", "amount_minor": "amount"} {
		n, ok := data[from].(json.Number)
		if minor, err := n.Int64(); ok && err == nil {
			data[to] = money.New(minor, money.Currency(cur)).Decimal()
			delete(data, from)
		}
	}
}
