package store

import (
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/transfer"
)

const sqlLockTransfers = `
	SELECT` + transferColumns + `
	FROM unnest($2::text[]) AS n(id) CROSS JOIN LATERAL (SELECT * FROM transfers WHERE book = $1 AND id = n.id FOR UPDATE) t`

func (b *batch) queueTransfers(m *pgx.Batch) {
	list := b.claimed(func(l *locks) []string { return l.transfers })
	if list == nil {
		return
	}
	m.Queue(sqlLockTransfers, b.book(), list).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			t, err := scanTransfer(rows)
			if err != nil {
				return err
			}
			b.found.transfers.find(t.ID, t)
		}
		return rows.Err()
	})
}

// standing is what a transfer is judged by: both users, and the sender's balance.
func (w *work) standing(t transfer.Transfer) (s transfer.Standing, err error) {
	s.From, s.To = w.holds(t.MerchantID, t.From), w.holds(t.MerchantID, t.To)
	s.Available, err = w.balance(t.Chart().Wallet(t.From))
	return s, err
}

// receiveTransfer is POST /v1/transfers. It looks at what it will move, and moves nothing: the saga's one Step does.
type receiveTransfer struct{ transfer.Receive }

func (w *work) newReceiveTransfer(c transfer.Receive) (move, error) {
	t := &c.Transfer
	t.Book = w.step.Book
	if !id.Is(id.Transfer, t.ID) {
		return nil, fault.Internal("a transfer is received under an id of its own", nil)
	}
	if t.CreatedAt.IsZero() {
		t.CreatedAt = w.at
	}
	t.CreatedAt = kept(t.CreatedAt)
	t.Status, t.Sequence, t.UpdatedAt = transfer.Processing, 1, t.CreatedAt
	return receiveTransfer{c}, nil
}

func (r receiveTransfer) claim(l *locks) {
	l.claimKey(r.Idempotency, r.Transfer.ID)
	l.holders = append(l.holders, r.Transfer.From, r.Transfer.To)
}

func (r receiveTransfer) posts() posts {
	return posts{accounts: []ledger.Account{r.Transfer.Chart().Wallet(r.Transfer.From)}}
}

var insertTransfer = inserting("transfers", `id text, merchant_id text, from_user text, to_user text, amount bigint, currency text,
	description text, metadata jsonb, created_at timestamptz, status text, sequence bigint, updated_at timestamptz, start_due_at timestamptz`)

func (r receiveTransfer) judge(w *work) error {
	t := r.Transfer
	s, err := w.standing(t)
	if err != nil {
		return err
	}
	if err := transfer.Admit(t, s); err != nil {
		w.short = w.short || fault.Is(err, fault.KindConflict, "insufficient_balance")
		return err
	}
	if t.Metadata == nil {
		t.Metadata = map[string]string{}
	}
	metadata, err := json.Marshal(t.Metadata)
	if err != nil {
		return fault.Internal("metadata that is no JSON", err)
	}
	w.write(insertTransfer, t.ID, t.ID, t.MerchantID, t.From, t.To, t.Amount.Minor, t.Amount.Currency, orNull(t.Description), string(metadata),
		t.CreatedAt, t.Status, t.Sequence, t.UpdatedAt, t.CreatedAt)
	w.b.found.transfers.put(t.ID, t)
	w.emitTransfer("transfer.created", t)
	return nil
}

// moveTransfer settles a transfer (I-06, I-16).
type moveTransfer struct{ transfer.Move }

func newMoveTransfer(book id.Book, c transfer.Move) (move, error) {
	c.Transfer.Book = book
	if !id.Is(id.Transfer, c.Transfer.ID) || c.Transfer.Amount.Sign() <= 0 {
		return nil, fault.Internal("a transfer is moved as it was read", nil)
	}
	return moveTransfer{c}, nil
}

func (m moveTransfer) claim(l *locks) {
	l.transfers = append(l.transfers, m.Transfer.ID)
	l.holders = append(l.holders, m.Transfer.From, m.Transfer.To)
}

func (m moveTransfer) posts() posts {
	c := m.Transfer.Chart()
	return posts{accounts: []ledger.Account{c.Wallet(m.Transfer.From), c.Wallet(m.Transfer.To)}}
}

var settleTransfer = updating("transfers", `id text, status text, failure_code text, sequence bigint, updated_at timestamptz`, `id = n.id`,
	`status = n.status, failure_code = n.failure_code, sequence = n.sequence, updated_at = n.updated_at, start_due_at = NULL`)

func (m moveTransfer) judge(w *work) error {
	t := w.b.found.transfers.get(m.Transfer.ID)
	if t == nil || t.MerchantID != m.Transfer.MerchantID {
		return fault.NotFound("transfer")
	}
	s, err := w.standing(*t)
	if err != nil {
		return err
	}
	r, err := transfer.Settle(*t, s, dated(m.Now, w.at))
	if err != nil {
		return err
	}
	w.short = w.short || r.After.FailureCode == "insufficient_balance"
	w.late = append(w.late, r.Journals...)
	w.write(settleTransfer, t.ID, t.ID, r.After.Status, orNull(r.After.FailureCode), r.After.Sequence, r.After.UpdatedAt)
	*t = r.After
	w.emitTransfer(r.Event, r.After)
	return nil
}

func (w *work) emitTransfer(kind string, t transfer.Transfer) {
	w.out.events = append(w.out.events, event{kind: kind, merchant: t.MerchantID, object: "transfer", id: t.ID, sequence: t.Sequence, data: t.Public()})
}
