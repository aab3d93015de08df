package audit

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/gowebpki/jcs"
	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// Checkpoint is what a book was at one moment: whoever keeps it elsewhere can tell whether the book still continues it.
type Checkpoint struct {
	Format   string       `json:"format"` // checkpointFormat
	Book     id.Book      `json:"book"`
	At       time.Time    `json:"at"`
	Lanes    []LaneEnd    `json:"lanes"`
	Journals int64        `json:"journals,string"` // that stand in the database
	Totals   []TrialTotal `json:"totals"`
}

// LaneEnd is the end of a lane's chain.
type LaneEnd struct {
	Lane   int           `json:"lane"`
	Number int64         `json:"number,string"` // of the last block
	Hash   string        `json:"hash"`          // its hash, hex
	Last   ledger.Number `json:"last,string"`   // the number of the last journal
}

// TrialTotal is a line of the trial balance: what all accounts that stand in debit and in credit hold, in minor units.
type TrialTotal struct {
	Currency string `json:"currency"`
	Memo     bool   `json:"memo"`
	Debit    string `json:"debit"`
	Credit   string `json:"credit"`
}

const checkpointFormat = "paysaga checkpoint 1"

// signed is a checkpoint's file. The signature is Ed25519 over the canonical JSON (RFC 8785) of the checkpoint.
type signed struct {
	Checkpoint json.RawMessage `json:"checkpoint"`
	Signer     string          `json:"signer"`
	Signature  string          `json:"signature"`
}

// Sign makes a checkpoint's file. signer is the operator whose key it is.
func (c Checkpoint) Sign(signer string, key ed25519.PrivateKey) ([]byte, error) {
	raw, err := json.Marshal(c)
	if err == nil {
		raw, err = jcs.Transform(raw)
	}
	if err != nil || len(key) != ed25519.PrivateKeySize {
		return nil, fault.Internal("a checkpoint can't be signed", err)
	}
	file, err := json.MarshalIndent(signed{raw, signer, base64.StdEncoding.EncodeToString(ed25519.Sign(key, raw))}, "", "  ")
	return append(file, '\n'), err
}

// ReadCheckpoint reads a checkpoint's file and holds its signature against the signer's key, which key finds. A file that
// isn't one is Invalid "checkpoint_invalid", one with a wrong signature Denied "signature_invalid".
func ReadCheckpoint(file []byte, key func(signer string) (ed25519.PublicKey, error)) (Checkpoint, error) {
	var s signed
	var c Checkpoint
	if json.Unmarshal(file, &s) != nil || json.Unmarshal(s.Checkpoint, &c) != nil || c.Format != checkpointFormat {
		return c, fault.Invalid("checkpoint_invalid", "", "this is not a checkpoint's file")
	}
	raw, err := jcs.Transform(s.Checkpoint)
	if err != nil {
		return c, fault.Invalid("checkpoint_invalid", "", "this is not a checkpoint's file")
	}
	public, err := key(s.Signer)
	if err != nil {
		return c, err
	}
	sig, err := base64.StdEncoding.DecodeString(s.Signature)
	if err != nil || len(public) != ed25519.PublicKeySize || !ed25519.Verify(public, raw, sig) {
		return c, fault.Denied("signature_invalid", "the checkpoint isn't signed by "+s.Signer)
	}
	return c, nil
}

// continues holds the checkpoints that are known against the chain.
func (w *chainWalk) continues(ctx context.Context, tx pgx.Tx) error {
	for _, c := range w.o.Known {
		for _, k := range c.Lanes {
			if k.Number == 0 {
				continue
			}
			blocks, err := readBlocks(ctx, tx, k.Lane, k.Number, k.Number)
			if err != nil {
				return err
			}
			day := c.At.Format(time.DateOnly)
			if len(blocks) == 0 {
				w.broken(Break{Lane: k.Lane, Block: k.Number, Number: k.Last, What: "the block that the checkpoint of " + day + " names is gone"})
				continue
			}
			if hash := blocks[0].Hash(); hex.EncodeToString(hash[:]) != k.Hash {
				w.broken(Break{Lane: k.Lane, Block: k.Number, Number: blocks[0].First, What: "the block isn't the one that the checkpoint of " + day + " names"})
			}
		}
	}
	return nil
}

const sqlCountJournals = `SELECT book::text, count(*), count(*) FILTER (WHERE (no >> 12) & 255 = 255) FROM journals GROUP BY book`

const sqlTrialTotals = `
	SELECT b.book::text, b.currency, b.kind = 'memo', coalesce(sum(b.balance) FILTER (WHERE b.balance > 0), 0)::text,
		coalesce(-sum(b.balance) FILTER (WHERE b.balance < 0), 0)::text
	FROM (` + balances + `) b GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`

// books gathers what a checkpoint of each book says.
func (w *chainWalk) books(ctx context.Context, tx pgx.Tx) error {
	var at time.Time
	if err := tx.QueryRow(ctx, `SELECT now()`).Scan(&at); err != nil {
		return err
	}
	w.r.Books = nil
	of := map[id.Book]*Checkpoint{}
	for _, book := range id.Books() {
		of[book] = &Checkpoint{Format: checkpointFormat, Book: book, At: at.UTC(), Lanes: []LaneEnd{}, Totals: []TrialTotal{}}
	}
	for _, l := range w.lanes {
		if c := of[id.Book(l.Book)]; c != nil {
			c.Lanes = append(c.Lanes, LaneEnd{l.Lane, l.Number, hex.EncodeToString(l.Hash), l.Last})
		}
	}
	var book string
	var n, unchained int64
	rows, _ := tx.Query(ctx, sqlCountJournals)
	if _, err := pgx.ForEachRow(rows, []any{&book, &n, &unchained}, func() error {
		of[id.Book(book)].Journals = n
		w.r.Unchained += unchained
		return nil
	}); err != nil {
		return err
	}
	var t TrialTotal
	rows, _ = tx.Query(ctx, sqlTrialTotals)
	if _, err := pgx.ForEachRow(rows, []any{&book, &t.Currency, &t.Memo, &t.Debit, &t.Credit}, func() error {
		c := of[id.Book(book)]
		c.Totals = append(c.Totals, t)
		return nil
	}); err != nil {
		return err
	}
	for _, book := range id.Books() {
		w.r.Books = append(w.r.Books, *of[book])
	}
	return nil
}

// sqlStrangers are journals that no block holds: a block's first journal has place 0, so a number tells its block's. OFFSET 0
// keeps the plan from hoping that a thousand are found soon: there are none.
const sqlStrangers = `
	SELECT no, cause FROM (
		SELECT j.no, j.cause FROM journals j
		LEFT JOIN blocks b ON b.first = j.no & -4096 AND b.lane = (j.no >> 12) & 255 AND j.no < b.first + b.journals
		WHERE (j.no >> 12) & 255 <> 255 AND b.first IS NULL AND j.no >= $1 OFFSET 0) s
	ORDER BY no LIMIT 1000`

// strangers finds journals that were added to the book and stand in no block.
func (w *chainWalk) strangers(ctx context.Context, tx pgx.Tx) error {
	var from ledger.Number
	if w.o.After {
		from = 1<<63 - 1
		for _, l := range w.lanes {
			blocks, err := readBlocks(ctx, tx, l.Lane, l.after, l.after)
			if err != nil {
				return err
			}
			if len(blocks) == 0 {
				from = 0
			} else {
				from = min(from, blocks[0].First)
			}
		}
	}
	var b Break
	rows, _ := tx.Query(ctx, sqlStrangers, from)
	_, err := pgx.ForEachRow(rows, []any{&b.Number, &b.Cause}, func() error {
		b.Lane, b.What = b.Number.Lane(), "the journal stands in no block"
		w.broken(b)
		return nil
	})
	return err
}

// nameFirst finds the cause of a first journal that is missing. Causes outlive their journals.
func (w *chainWalk) nameFirst(ctx context.Context, tx pgx.Tx) error {
	var first *Break
	for i := range w.r.Breaks {
		if b := &w.r.Breaks[i]; first == nil || b.Number < first.Number {
			first = b
		}
	}
	if first == nil || first.Cause != "" || first.Number == 0 {
		return nil
	}
	err := tx.QueryRow(ctx, `SELECT cause FROM causes WHERE journal = $1`, first.Number).Scan(&first.Cause)
	if err == pgx.ErrNoRows {
		return nil
	}
	return err
}
