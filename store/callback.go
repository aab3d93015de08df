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

// bodyAndAction is what a callback holds in secret.
type bodyAndAction struct {
	Body   []byte          `json:"body"`
	Action json.RawMessage `json:"action,omitempty"`
}

const sqlInsertCallback = `
	INSERT INTO callbacks (book, id, channel, channel_account, event_id, subject, reference, business_id, outcome, dispute, body_sealed, received_at, due_at)
	VALUES (@book, @id, @channel, @account, @event_id, @subject, @reference, nullif(@business_id, ''), @outcome, @dispute, @sealed, @at, @at)
	ON CONFLICT ON CONSTRAINT callbacks_once DO NOTHING
	RETURNING id`

const sqlCallbackID = `SELECT id FROM callbacks WHERE book = $1 AND channel_account = $2 AND event_id = $3`

// ReceiveCallback stores a verified callback before its channel is answered. One that came before keeps its first id, and
// fresh is false (I-21).
func (s *Store) ReceiveCallback(ctx context.Context, r channels.Received) (callbackID string, fresh bool, err error) {
	db, err := s.db(r.Book)
	if err != nil {
		return "", false, err
	}
	if r.ID == "" {
		r.ID = s.Mint(id.Callback)
	}
	if r.ReceivedAt.IsZero() {
		r.ReceivedAt = s.clock()
	}
	secret := bodyAndAction{Body: r.Body}
	if r.Outcome.Action != nil {
		if secret.Action, err = json.Marshal(r.Outcome.Action); err != nil {
			return "", false, fault.Internal("an action that is no JSON", err)
		}
		r.Outcome.Action = nil
	}
	text, err := json.Marshal(secret)
	if err != nil {
		return "", false, fault.Internal("a callback that is no JSON", err)
	}
	sealed, err := s.Seal(text)
	if err != nil {
		return "", false, err
	}
	business, _, err := id.ParseReference(r.Reference)
	if err != nil {
		business = "" // not one of ours: the relay will find out
	}
	args := pgx.NamedArgs{"book": r.Book, "id": r.ID, "channel": r.Channel, "account": r.ChannelAccount, "event_id": r.EventID,
		"subject": r.Subject, "reference": r.Reference, "business_id": business, "outcome": r.Outcome, "dispute": r.Dispute, "sealed": sealed, "at": r.ReceivedAt}
	err = db.pool.QueryRow(ctx, sqlInsertCallback, args).Scan(&callbackID)
	if err == nil {
		return callbackID, true, nil
	}
	if err == pgx.ErrNoRows {
		err = db.pool.QueryRow(ctx, sqlCallbackID, r.Book, r.ChannelAccount, r.EventID).Scan(&callbackID)
	}
	return callbackID, false, failure(err)
}

const callbackColumns = `
	c.book::text, c.id, c.channel, c.channel_account, c.event_id, c.subject, c.reference, c.outcome, c.dispute, c.body_sealed, c.received_at, c.tries,
	coalesce(c.disposition, '')`

func (s *Store) scanCallback(row pgx.CollectableRow) (channels.Received, error) {
	var r channels.Received
	var sealed []byte
	err := row.Scan(&r.Book, &r.ID, &r.Channel, &r.ChannelAccount, &r.EventID, &r.Subject, &r.Reference, &r.Outcome, &r.Dispute, &sealed,
		&r.ReceivedAt, &r.Tries, &r.Disposition)
	if err != nil {
		return r, err
	}
	text, err := s.OpenSealed(sealed)
	if err != nil {
		return r, err
	}
	var secret bodyAndAction
	if err := json.Unmarshal(text, &secret); err != nil {
		return r, err
	}
	r.Body = secret.Body
	if secret.Action != nil {
		err = json.Unmarshal(secret.Action, &r.Outcome.Action)
	}
	return r, err
}

const sqlCallback = `SELECT` + callbackColumns + ` FROM callbacks c WHERE c.book = $1 AND c.id = $2`

// Callback reads a stored callback with its body opened.
func (s *Store) Callback(ctx context.Context, book id.Book, callbackID string) (channels.Received, error) {
	db, err := s.db(book)
	if err != nil {
		return channels.Received{}, err
	}
	rows, err := db.pool.Query(ctx, sqlCallback, book, callbackID)
	if err != nil {
		return channels.Received{}, failure(err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, s.scanCallback)
	if err == pgx.ErrNoRows {
		return r, fault.NotFound("callback")
	}
	return r, failure(err)
}

const sqlAnswerCallback = `UPDATE callbacks SET outcome = $3 WHERE book = $1 AND id = $2 AND disposition IS NULL`

// AnswerCallback keeps what a channel said when it was asked about a callback that proves nothing by itself. What the
// customer has to do next is left out; one that was dealt with stays as it is.
func (s *Store) AnswerCallback(ctx context.Context, book id.Book, callbackID string, said payment.Outcome) error {
	db, err := s.db(book)
	if err != nil {
		return err
	}
	said.Action = nil
	_, err = db.pool.Exec(ctx, sqlAnswerCallback, book, callbackID, said)
	return failure(err)
}

const sqlInsertCalls = `
	INSERT INTO channel_calls (book, business_id, key, channel, channel_account, operation, started_at, duration_us, verdict, fault, note)
	SELECT c.book::book, c.business_id, c.key, c.channel, c.account, c.operation, c.started_at, c.duration_us,
		nullif(c.verdict, ''), nullif(c.fault, ''), nullif(c.note, '')
	FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::bigint[],
		$9::text[], $10::text[], $11::text[])
		AS c(book, business_id, key, channel, account, operation, started_at, duration_us, verdict, fault, note)`

// AppendCalls adds lines about channel calls, in one statement per database. They hold no body and no secret.
func (s *Store) AppendCalls(ctx context.Context, lines []channels.CallLine) error {
	byDB := map[*database][]channels.CallLine{}
	for _, l := range lines {
		db, err := s.db(l.Book)
		if err != nil {
			return err
		}
		byDB[db] = append(byDB[db], l)
	}
	for db, list := range byDB {
		var text [9][]string
		var started []time.Time
		var took []int64
		for _, l := range list {
			for i, v := range []string{string(l.Book), l.BusinessID, l.Key, l.Channel, l.ChannelAccount, string(l.Operation), string(l.Verdict), l.Fault, l.Note} {
				text[i] = append(text[i], v)
			}
			started, took = append(started, l.StartedAt), append(took, max(0, l.Duration.Microseconds()))
		}
		_, err := db.pool.Exec(ctx, sqlInsertCalls, text[0], text[1], text[2], text[3], text[4], text[5], started, took, text[6], text[7], text[8])
		if err != nil {
			return failure(err)
		}
	}
	return nil
}
