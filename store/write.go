package store

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/ledger"
)

// writer writes many rows at once. $1 is the book; each column is an array, and the rows are there under the name n.
type writer struct {
	table string
	sql   string
	width int
	// rank orders statements whose unique keys two batches may both want: lower first. The others come as they are met.
	rank int
	// latest: of several rows for one key only the last is written.
	latest bool
}

const unranked = 100

// inserting is the writer that inserts the columns of spec, "id text, amount bigint", as they come, beside the book.
func inserting(table, spec string) *writer {
	names, _ := columns(spec)
	return newWriter(table, spec, `INSERT INTO `+table+` (book, `+names+`) SELECT $1, `+names+` FROM n`)
}

// newWriter makes a writer whose sql reads the columns of spec from n.
func newWriter(table, spec, sql string) *writer {
	_, arrays := columns(spec)
	with := `WITH n AS (SELECT ` + strings.Join(arrays, ", ") + `) `
	return &writer{table: table, sql: with + sql, width: len(arrays), rank: unranked}
}

// updating is the writer that sets columns of the rows t for which on holds. The rows are locked, and stay where they are: they
// are looked up by their keys, and updated where they were found.
func updating(table, spec, on, set string) *writer {
	return newWriter(table, spec, `UPDATE `+table+` t SET `+set+`
		FROM (SELECT n.*, l.ctid AS place FROM n CROSS JOIN LATERAL (
			SELECT ctid FROM `+table+` WHERE book = $1 AND `+on+` OFFSET 0) l) n
		WHERE t.ctid = n.place`)
}

// lasting makes a batch write only what its last Step leaves of a row. The writer must not need what stood before.
func (s *writer) lasting() *writer {
	s.latest = true
	return s
}

func (s *writer) ranked(rank int) *writer {
	s.rank = rank
	return s
}

func columns(spec string) (names string, arrays []string) {
	var list []string
	for i, c := range strings.Split(spec, ",") {
		name, kind, _ := strings.Cut(strings.TrimSpace(c), " ")
		list = append(list, name)
		arrays = append(arrays, fmt.Sprintf("unnest($%d::%s[]) AS %s", i+2, kind, name))
	}
	return strings.Join(list, ", "), arrays
}

// row is one row for a statement. key tells the rows of a table apart: those with the same are written one after the other.
type row struct {
	to   *writer
	key  string
	args []any
}

// write queues a row of a Step's.
func (w *work) write(to *writer, key string, args ...any) {
	if len(args) != to.width {
		panic("store: a row for " + to.table + " of another width")
	}
	w.out.rows = append(w.out.rows, row{to, key, args})
}

// stepWrites is what one Step writes, once it is accepted.
type stepWrites struct {
	rows     []row
	journals []journalRow
	entries  []entryRow
	leaves   []ledger.Hash
	events   []event
}

// writes are the second message. Rows for the same table row go in waves: a wave has each row once.
type writes struct {
	waves    [][]*bulk
	seen     map[string]int // table and key → how many waves it is in
	journals []journalRow
	entries  []entryRow
	leaves   []ledger.Hash
}

// bulk is the rows of one statement in one wave, by column.
type bulk struct {
	*writer
	columns [][]any
	places  map[string]int // of a lasting writer: where a key's row is
}

func (o *writes) add(r row) {
	if o.seen == nil {
		o.seen = map[string]int{}
	}
	key := r.to.table + "\x00" + r.key
	if r.to.latest && o.replace(r) {
		return
	}
	wave := o.seen[key]
	o.seen[key]++
	if wave == len(o.waves) {
		o.waves = append(o.waves, nil)
	}
	i := slices.IndexFunc(o.waves[wave], func(b *bulk) bool { return b.writer == r.to })
	if i < 0 {
		o.waves[wave] = append(o.waves[wave], &bulk{r.to, make([][]any, r.to.width), map[string]int{}})
		i = len(o.waves[wave]) - 1
	}
	if r.to.latest {
		o.waves[wave][i].places[r.key] = len(o.waves[wave][i].columns[0])
	}
	for c, v := range r.args {
		o.waves[wave][i].columns[c] = append(o.waves[wave][i].columns[c], v)
	}
}

// replace puts r in the place of the row that an earlier Step wrote under its key, if one did.
func (o *writes) replace(r row) bool {
	for _, wave := range o.waves {
		for _, b := range wave {
			if at, ok := b.places[r.key]; ok && b.writer == r.to {
				for c, v := range r.args {
					b.columns[c][at] = v
				}
				return true
			}
		}
	}
	return false
}

// expect makes room for the journals of works.
func (o *writes) expect(works []*work) {
	journals, entries := 0, 0
	for _, w := range works {
		journals, entries = journals+w.maxJournals(), entries+len(w.refs)
	}
	o.journals, o.leaves, o.entries = make([]journalRow, 0, journals), make([]ledger.Hash, 0, journals), make([]entryRow, 0, entries)
}

// writeBooked is the first part of the second message: what nobody else can want. It is sent by itself while a batch of the same
// process has yet to move the accounts.
func (b *batch) writeBooked(m *pgx.Batch) {
	b.writeJournals(m)
	b.writeEvents(m)
}

// writeRest is the rest, and the lane's head after it. The accounts are moved, for which other batches may wait, and then the keys
// that others may want are taken: whoever waits for a key holds all its accounts.
func (b *batch) writeRest(m *pgx.Batch) head {
	b.writeBalances(m)
	b.writeCauses(m)
	b.writeKeys(m)
	for _, wave := range b.out.waves {
		slices.SortStableFunc(wave, func(x, y *bulk) int { return x.rank - y.rank })
		for _, s := range wave {
			args := make([]any, 0, s.width+1)
			args = append(args, b.book())
			for _, c := range s.columns {
				args = append(args, c)
			}
			m.Queue(s.sql, args...)
		}
	}
	next := b.queueBlock(m)
	m.Queue("commit")
	return next
}

// The causes come in the order of their key, in which every batch takes them.
const sqlInsertCauses = `
	INSERT INTO causes (book, cause, step, hash, journal, reverses, at, by_kind, by_id, request_id, reason)
	SELECT $1, n.cause, nullif(n.step, ''), n.hash, nullif(n.journal, 0), nullif(n.reverses, 0), $2, n.by_kind, n.by_id,
		nullif(n.request_id, ''), nullif(n.reason, '')
	FROM (SELECT unnest($3::text[]) AS cause, unnest($4::text[]) AS step, unnest($5::bytea[]) AS hash, unnest($6::bigint[]) AS journal,
		unnest($7::bigint[]) AS reverses, unnest($8::text[]) AS by_kind, unnest($9::text[]) AS by_id, unnest($10::text[]) AS request_id,
		unnest($11::text[]) AS reason) n`

// causeWrite is a row of causes: a Step's own, or that of one of its journals.
type causeWrite struct {
	cause            string
	of               *work
	number, reverses ledger.Number // 0: none
}

func (b *batch) writeCauses(m *pgx.Batch) {
	list := make([]causeWrite, 0, len(b.accepted)+len(b.out.journals))
	for _, w := range b.accepted {
		own := false
		for _, j := range w.out.journals {
			list = append(list, causeWrite{j.cause, w, j.number, j.reverses})
			own = own || j.cause == w.step.Cause
		}
		if !own {
			list = append(list, causeWrite{cause: w.step.Cause, of: w})
		}
	}
	slices.SortFunc(list, func(x, y causeWrite) int { return strings.Compare(x.cause, y.cause) })
	n := len(list)
	cause, step, hash, journal, reverses := make([]string, n), make([]string, n), make([][]byte, n), make([]int64, n), make([]int64, n)
	kind, id, request, reason := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i, c := range list {
		by := c.of.step.By
		cause[i], hash[i], journal[i], reverses[i] = c.cause, c.of.hash, int64(c.number), int64(c.reverses)
		kind[i], id[i], request[i], reason[i] = string(by.Kind), by.ID, by.RequestID, by.Reason
		if c.cause != c.of.step.Cause {
			step[i] = c.of.step.Cause
		}
	}
	m.Queue(sqlInsertCauses, b.book(), b.at, cause, step, hash, journal, reverses, kind, id, request, reason)
}

const sqlInsertKeys = `
	INSERT INTO idempotency (book, merchant_id, operation, key, request_hash, object, created_at)
	SELECT $1, n.merchant_id, n.operation, n.key, n.request_hash, n.object, n.at
	FROM unnest($2::text[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::timestamptz[])
		AS n(merchant_id, operation, key, request_hash, object, at)
	ORDER BY n.merchant_id, n.operation, n.key`

func (b *batch) writeKeys(m *pgx.Batch) {
	var merchant, operation, key, object []string
	var hash [][]byte
	var at []time.Time
	for _, w := range b.accepted {
		k := w.lock.idempotency
		if k == nil {
			continue
		}
		sum, _ := hex.DecodeString(k.RequestHash) // a hash that isn't one fails the table's check
		merchant, operation, key = append(merchant, k.MerchantID), append(operation, k.Operation), append(key, k.Key)
		hash, object, at = append(hash, sum), append(object, w.lock.object), append(at, w.at)
	}
	if key != nil {
		m.Queue(sqlInsertKeys, b.book(), merchant, operation, key, hash, object, at)
	}
}
