package store

import (
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payout"
	"paysaga/domain/remit"
)

// lockedPayout is a payout under lock, with its tries.
type lockedPayout struct {
	payout.Payout
	attempts []remit.Tried
	action   []byte // sealed: it is opened by whoever judges it
}

const sqlLockPayouts = `
	SELECT` + payoutColumns + `,
		(SELECT json_agg(json_build_object('ordinal', a.ordinal, 'verdict', coalesce(a.verdict, ''), 'dead', a.dead,
			'amount', coalesce(a.amount, 0), 'currency', coalesce(a.amount_currency, '')) ORDER BY a.ordinal)
			FROM payout_attempts a WHERE a.book = p.book AND a.payout_id = p.id)
	FROM unnest($2::text[]) AS n(id) CROSS JOIN LATERAL (SELECT * FROM payouts WHERE book = $1 AND id = n.id FOR UPDATE) p`

func (b *batch) queuePayouts(m *pgx.Batch) {
	list := b.claimed(func(l *locks) []string { return l.payouts })
	if list == nil {
		return
	}
	m.Queue(sqlLockPayouts, b.book(), list).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var attempts []byte
			p, action, err := scanPayout(rows, &attempts)
			if err != nil {
				return err
			}
			locked := lockedPayout{Payout: p, action: action}
			if locked.attempts, err = tried(attempts); err != nil {
				return err
			}
			b.found.payouts.find(p.ID, locked)
		}
		return rows.Err()
	})
}

// tried reads the tries of a refund or a payout; nil: none was made.
func tried(list []byte) (tries []remit.Tried, err error) {
	if list != nil {
		err = json.Unmarshal(list, &tries)
	}
	return tries, err
}

// receivePayout is POST /v1/payouts, and what any Step of ours orders: judged under the lock of the account that it leaves.
type receivePayout struct {
	payout.Receive
	sealed []byte   // the destination
	causes []string // of its journal, where the Step has another
}

func (w *work) newReceivePayout(c payout.Receive) (move, error) {
	p := &c.Payout
	p.Book = w.step.Book
	if !id.Is(id.Payout, p.ID) || p.MerchantID == "" || p.ChannelAccount == "" {
		return nil, fault.Internal("a payout is received under an id of its own, with its owner and its channel account", nil)
	}
	if p.CreatedAt.IsZero() {
		p.CreatedAt = w.at
	}
	p.CreatedAt, p.To = kept(p.CreatedAt), c.Destination.Masked()
	text, err := json.Marshal(c.Destination)
	if err != nil {
		return nil, fault.Internal("a destination that is no JSON", err)
	}
	mine := receivePayout{Receive: c}
	if cause := id.Key(p.ID, id.Step{Code: id.Receive, Ordinal: 1}); cause != w.step.Cause {
		mine.causes = []string{cause}
	}
	mine.sealed, err = w.s.Seal(text)
	return mine, err
}

func (r receivePayout) claim(l *locks) {
	l.claimKey(r.Idempotency, r.Payout.ID)
	if r.Payout.UserID != "" {
		l.holders = append(l.holders, r.Payout.UserID)
	}
}

func (r receivePayout) posts() posts {
	return posts{accounts: []ledger.Account{r.Payout.From(), r.Payout.Chart().InTransit(r.Payout.ChannelAccount)}, causes: r.causes}
}

var insertPayout = inserting("payouts", `id text, merchant_id text, user_id text, channel text, channel_account text, lane text, amount bigint,
	currency text, destination_type text, destination_last text, note text, metadata jsonb, created_at timestamptz, status text, sequence bigint,
	updated_at timestamptz, start_due_at timestamptz`)

var insertPayoutDetails = inserting("payout_details", `payout_id text, destination_sealed bytea`)

func (r receivePayout) judge(w *work) error {
	mine := r.Payout
	if mine.UserID != "" {
		if err := w.holds(mine.MerchantID, mine.UserID); err != nil { // I-25
			return err
		}
	}
	has, err := w.balance(mine.From())
	if err != nil {
		return err
	}
	if r.All {
		w.short = true // another balance would have made another amount
		if mine.Amount.Minor = max(0, has); has < r.AtLeast || has <= 0 {
			return fault.Conflict("insufficient_balance", "there is less than what is worth a payout")
		}
	}
	mine, j, err := payout.Open(mine, has)
	if err != nil {
		w.short = w.short || fault.Is(err, fault.KindConflict, "insufficient_balance")
		return err
	}
	if mine.Metadata == nil {
		mine.Metadata = map[string]string{}
	}
	metadata, err := json.Marshal(mine.Metadata)
	if err != nil {
		return fault.Internal("metadata that is no JSON", err)
	}
	w.late = append(w.late, j)
	w.write(insertPayout, mine.ID, mine.ID, mine.MerchantID, orNull(mine.UserID), mine.Channel, mine.ChannelAccount, mine.Lane, mine.Amount.Minor,
		mine.Amount.Currency, mine.To.Type, mine.To.Last, orNull(mine.Note), string(metadata), mine.CreatedAt, mine.Status, mine.Sequence,
		mine.UpdatedAt, mine.CreatedAt)
	w.write(insertPayoutDetails, mine.ID, mine.ID, r.sealed)
	w.b.found.payouts.put(mine.ID, lockedPayout{Payout: mine})
	return w.emitPayout("payout.created", mine)
}

// emitPayout leaves the event of a payout's move. The next action is a secret: it is sealed beside the data.
func (w *work) emitPayout(kind string, p payout.Payout) error {
	v := p.Public()
	e := event{kind: kind, merchant: p.MerchantID, object: "payout", id: p.ID, sequence: p.Sequence}
	if v.NextAction != nil {
		var err error
		if e.secret, err = w.sealJSON(v.NextAction); err != nil {
			return err
		}
		v.NextAction = nil
	}
	e.data = v
	w.out.events = append(w.out.events, e)
	return nil
}

// sealJSON seals what a row or an event holds in secret.
func (w *work) sealJSON(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fault.Internal("an action that is no JSON", err)
	}
	return w.s.Seal(text)
}

// intendPayout commits the intent of a try (I-13).
type intendPayout struct {
	payout.Intend
	hash, sealed []byte
}

func (s *Store) newIntendPayout(book id.Book, c payout.Intend) (move, error) {
	a := &c.Attempt
	a.Book = book
	if a.Key != id.Key(a.Of, id.Step{Code: id.PayoutOut, Ordinal: a.Ordinal}) {
		return nil, fault.Internal("a try's key is its payout's id and its ordinal", nil)
	}
	if a.BornAt.IsZero() {
		a.BornAt = s.clock()
	}
	hash, sealed, err := s.freeze(a.RequestHash, c.Request)
	return intendPayout{c, hash, sealed}, err
}

func (i intendPayout) claim(l *locks) { l.payouts = append(l.payouts, i.Attempt.Of) }

var insertPayoutAttempt = inserting("payout_attempts", `payout_id text, ordinal smallint, channel text, channel_account text, request_hash bytea,
	request_sealed bytea, born_at timestamptz`)

var openPayout = updating("payouts", `id text, at timestamptz`, `id = n.id`, `opened_at = coalesce(t.opened_at, n.at), start_due_at = NULL`)

func (i intendPayout) judge(w *work) error {
	a := i.Attempt
	p := w.b.found.payouts.get(a.Of)
	if p == nil {
		return fault.NotFound("payout")
	}
	if err := mayIntend("payout", a, p.Status, p.Parked, p.attempts); err != nil {
		return err
	}
	w.write(insertPayoutAttempt, attemptKey(a.Of, a.Ordinal), a.Of, int16(a.Ordinal), a.Channel, a.ChannelAccount, i.hash, i.sealed, a.BornAt)
	w.write(openPayout, a.Of, a.Of, w.at)
	p.attempts = append(p.attempts[:len(p.attempts):len(p.attempts)], remit.Tried{Ordinal: a.Ordinal})
	return nil
}

// mayIntend judges whether another try of a refund or a payout may be intended.
func mayIntend(kind string, a remit.Attempt, status remit.Status, parked string, before []remit.Tried) error {
	switch {
	case status.Terminal():
		return fault.Conflict(kind+"_ended", "the "+kind+" is "+string(status)+": nothing more is sent for it")
	case parked != "":
		return fault.Conflict(kind+"_parked", "a person has to decide first")
	}
	for _, one := range before {
		if one.Ordinal == a.Ordinal {
			return fault.Conflict("intent_exists", "this try stands already")
		}
		if !one.Dead { // I-11: a try that may still get through is sent again under its own key, or asked about
			return fault.Conflict("attempt_alive", "a try before this one may still succeed")
		}
	}
	return nil
}
