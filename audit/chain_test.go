package audit_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"paysaga/audit"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/store/storetest"
)

// chained is a book of two lanes with three blocks of three journals each; the causes are pay_<lane><block><place>:ch1.
func chained(t *testing.T) *storetest.Database {
	t.Helper()
	db := storetest.Open(t)
	chart := ledger.Chart{Book: id.Test, Currency: "CNY"}
	for lane := range 2 {
		s := db.Scribe(t, id.Test)
		at := time.Now().Add(-time.Hour)
		for block := range 3 {
			var list []ledger.Journal
			for place := range 3 {
				list = append(list, s.Transfer(fmt.Sprintf("pay_%d%d%d:ch1", lane, block, place),
					chart.Clearing(fmt.Sprintf("cha_%d", lane)), chart.Clearing(fmt.Sprintf("cha_%d_%d", lane, place)), int64(block*3+place+1)))
			}
			s.Block(at.Add(time.Duration(block)*time.Minute), list...)
		}
	}
	return db
}

func connect(db *storetest.Database) func(context.Context) (*pgx.Conn, error) {
	return func(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, db.Config.URL) }
}

func walk(t *testing.T, db *storetest.Database, known ...audit.Checkpoint) audit.ChainReport {
	t.Helper()
	r, err := audit.Chain(t.Context(), audit.ChainOptions{Connect: connect(db), Parallel: 2, Known: known})
	require.NoError(t, err)
	return r
}

// no is the number of the journal with a cause.
func no(cause string) string { return `(SELECT journal FROM causes WHERE cause = '` + cause + `')` }

// tampering is what somebody with the owner's rights may do to a book behind its triggers, the cause of the journal that is
// named first (none: the break is the head's), and what is said of it. The second journal of the second block of lane 0 is the victim.
var tampering = map[string]struct{ sql, cause, what string }{
	"an amount":              {`UPDATE entries SET amount = amount + 1 WHERE journal = ` + no("pay_011:ch1") + ` AND leg = 1`, "pay_011:ch1", "isn't what was booked"},
	"an account":             {`UPDATE entries SET account = (SELECT max(no) FROM accounts) WHERE journal = ` + no("pay_011:ch1") + ` AND leg = 2`, "pay_011:ch1", "isn't what was booked"},
	"a date":                 {`UPDATE journals SET effective_at = effective_at - interval '1 microsecond' WHERE cause = 'pay_011:ch1'`, "pay_011:ch1", "isn't what was booked"},
	"a kind":                 {`UPDATE journals SET kind = 'gift' WHERE cause = 'pay_011:ch1'`, "pay_011:ch1", "isn't what was booked"},
	"a book":                 {`UPDATE journals SET book = 'live' WHERE cause = 'pay_011:ch1'`, "pay_011:ch1", "isn't what was booked"},
	"a reversal":             {`UPDATE journals SET reverses = 1 WHERE cause = 'pay_011:ch1'`, "pay_011:ch1", "isn't what was booked"},
	"a cause":                {`UPDATE journals SET cause = 'pay_999:ch1' WHERE cause = 'pay_011:ch1'`, "pay_999:ch1", "isn't what was booked"},
	"a cause, everywhere":    {`UPDATE journals SET cause = 'pay_999:ch1' WHERE cause = 'pay_011:ch1'; UPDATE causes SET cause = 'pay_999:ch1' WHERE cause = 'pay_011:ch1'`, "pay_999:ch1", "isn't what was booked"},
	"a Step's content":       {`UPDATE causes SET hash = decode(repeat('11', 32), 'hex') WHERE cause = 'pay_011:ch1'`, "pay_011:ch1", "isn't what was booked"},
	"an account's name":      {`UPDATE accounts SET code = 'channel/mine/clearing' WHERE code = 'channel/cha_0_1/clearing'`, "pay_001:ch1", "isn't what was booked"},
	"legs swapped":           {`UPDATE entries SET leg = 3 - leg WHERE journal = ` + no("pay_011:ch1"), "pay_011:ch1", "isn't what was booked"},
	"entries swapped":        {`UPDATE entries SET journal = CASE leg WHEN 1 THEN journal ELSE journal + CASE WHEN journal = ` + no("pay_011:ch1") + ` THEN 1 ELSE -1 END END WHERE journal IN (` + no("pay_011:ch1") + `, ` + no("pay_012:ch1") + `)`, "pay_011:ch1", "isn't what was booked"},
	"a journal deleted":      {`DELETE FROM entries WHERE journal = ` + no("pay_011:ch1") + `; DELETE FROM journals WHERE cause = 'pay_011:ch1'`, "pay_011:ch1", "is missing"},
	"a journal added":        {`INSERT INTO journals (no, effective_at, book, legs, cause, kind) SELECT no + 100, effective_at, book, legs, 'pay_new:ch1', kind FROM journals WHERE cause = 'pay_011:ch1'`, "pay_new:ch1", "stands in no block"},
	"a journal in a gap":     {`INSERT INTO journals (no, effective_at, book, legs, cause, kind) SELECT no + (5 << 20), effective_at, book, legs, 'pay_new:ch1', kind FROM journals WHERE cause = 'pay_011:ch1'`, "pay_new:ch1", "stands in no block"},
	"a root":                 {`UPDATE blocks SET root = decode(repeat('11', 32), 'hex') WHERE lane = 0 AND number = 2`, "pay_010:ch1", "root isn't"},
	"leaves":                 {`UPDATE blocks SET leaves = overlay(leaves PLACING '\x1122' FROM 10) WHERE lane = 0 AND number = 2`, "pay_011:ch1", "isn't what was booked"},
	"a link":                 {`UPDATE blocks SET previous = decode(repeat('11', 32), 'hex') WHERE lane = 0 AND number = 2`, "pay_010:ch1", "link to the block before"},
	"a block deleted":        {`DELETE FROM blocks WHERE lane = 0 AND number = 2`, "pay_010:ch1", "stands in no block"},
	"a block's length":       {`UPDATE blocks SET journals = 2, leaves = substr(leaves, 1, 16) WHERE lane = 0 AND number = 2`, "pay_010:ch1", "root isn't"},
	"the head's hash":        {`UPDATE lanes SET hash = decode(repeat('11', 32), 'hex') WHERE lane = 0`, "pay_020:ch1", "head isn't that"},
	"the head moved back":    {`UPDATE lanes SET number = 2 WHERE lane = 0`, "", "head is at block 2"},
	"the head moved on":      {`UPDATE lanes SET number = 4 WHERE lane = 0`, "", "head is at block 4"},
	"the head's last":        {`UPDATE lanes SET last = last + 1 WHERE lane = 0`, "pay_020:ch1", "head isn't that"},
	"a lane without a head":  {`DELETE FROM lanes WHERE lane = 0`, "", "head is missing"},
	"a tail without a head":  {`DELETE FROM blocks WHERE lane = 0 AND number = 3`, "pay_020:ch1", "stands in no block"},
	"a block in another one": {`UPDATE blocks SET lane = 1, number = 4 WHERE lane = 0 AND number = 3`, "pay_020:ch1", ""},
}

// keepCopies and bringBack restore the book after each case.
const keepCopies = `CREATE SCHEMA kept; ` + `CREATE TABLE kept.journals AS TABLE journals; CREATE TABLE kept.entries AS TABLE entries;
	CREATE TABLE kept.causes AS TABLE causes; CREATE TABLE kept.blocks AS TABLE blocks; CREATE TABLE kept.lanes AS TABLE lanes;
	CREATE TABLE kept.accounts AS TABLE accounts; GRANT USAGE ON SCHEMA kept TO PUBLIC`

const bringBack = `SET LOCAL session_replication_role = replica; DELETE FROM journals; DELETE FROM entries; DELETE FROM causes; DELETE FROM blocks;
	DELETE FROM lanes; INSERT INTO journals TABLE kept.journals; INSERT INTO entries TABLE kept.entries; INSERT INTO causes TABLE kept.causes;
	INSERT INTO blocks TABLE kept.blocks; INSERT INTO lanes TABLE kept.lanes;
	UPDATE accounts a SET code = k.code FROM kept.accounts k WHERE k.no = a.no AND k.code <> a.code`

func change(t *testing.T, db *storetest.Database, sql string) {
	t.Helper()
	tx, err := db.Owner.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	_, err = tx.Exec(t.Context(), `SET LOCAL session_replication_role = replica; `+sql)
	require.NoError(t, err, sql)
	require.NoError(t, tx.Commit(t.Context()))
}

func TestEachTamperingIsFoundAndNamed(t *testing.T) {
	t.Parallel()
	db := chained(t)
	change(t, db, keepCopies)
	r := walk(t, db)
	require.Empty(t, r.Breaks)
	require.EqualValues(t, 6, r.Blocks)
	require.EqualValues(t, 18, r.Journals)
	for name, c := range tampering {
		change(t, db, c.sql)
		r := walk(t, db)
		require.NotEmpty(t, r.Breaks, name)
		if c.cause != "" {
			require.Equal(t, c.cause, r.Breaks[0].Cause, "%s: %v", name, r.Breaks)
		}
		require.Contains(t, r.Breaks[0].What, c.what, name)
		require.EqualValues(t, len(r.Breaks), r.Broken, name)
		change(t, db, bringBack)
	}
	require.Empty(t, walk(t, db).Breaks)
}

func TestOnlyACheckpointSeesATailThatWasCutOff(t *testing.T) {
	t.Parallel()
	db := chained(t)
	change(t, db, keepCopies)
	r := walk(t, db)
	require.Len(t, r.Books, 3)
	require.Equal(t, id.Test, r.Books[1].Book)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	file, err := r.Books[1].Sign("opr_1", private)
	require.NoError(t, err)
	key := func(string) (ed25519.PublicKey, error) { return public, nil }
	known, err := audit.ReadCheckpoint(file, key)
	require.NoError(t, err)
	require.Equal(t, r.Books[1], known)
	require.EqualValues(t, 18, known.Journals)
	require.Equal(t, []audit.TrialTotal{{Currency: "CNY", Debit: "90", Credit: "90"}}, known.Totals)
	require.Empty(t, walk(t, db, known).Breaks, "the book continues it")

	change(t, db, `DELETE FROM entries WHERE journal >= `+no("pay_020:ch1")+` AND (journal >> 12) & 255 = 0;
		DELETE FROM journals WHERE cause LIKE 'pay\_02%'; UPDATE lanes l SET number = 2, last = first + 2, hash = (SELECT previous FROM blocks WHERE lane = 0 AND number = 3)
		FROM blocks b WHERE l.lane = 0 AND b.lane = 0 AND b.number = 2; DELETE FROM blocks WHERE lane = 0 AND number = 3`)
	require.Empty(t, walk(t, db).Breaks, "the chain alone can't know")
	r = walk(t, db, known)
	require.Len(t, r.Breaks, 1)
	require.Contains(t, r.Breaks[0].What, "is gone")
	require.Equal(t, "pay_022:ch1", r.Breaks[0].Cause)
	change(t, db, bringBack)

	// A whole lane written anew, with right hashes.
	forged := known
	forged.Lanes = append([]audit.LaneEnd{}, known.Lanes...)
	forged.Lanes[0].Hash = strings.Repeat("11", 32)
	r = walk(t, db, forged)
	require.Len(t, r.Breaks, 1)
	require.Contains(t, r.Breaks[0].What, "isn't the one that the checkpoint")

	for name, broken := range map[string]string{"content": strings.Replace(string(file), `"18"`, `"17"`, 1), "signer": strings.Replace(string(file), `"signature": "`, `"signature": "AA`, 1)} {
		_, err = audit.ReadCheckpoint([]byte(broken), key)
		require.Equal(t, fault.KindDenied, fault.Of(err), name)
	}
	_, err = audit.ReadCheckpoint([]byte(`{}`), key)
	require.Equal(t, "checkpoint_invalid", fault.As(err).Code)
}

func TestAWalkGoesOnFromACheckpoint(t *testing.T) {
	t.Parallel()
	db := chained(t)
	known := walk(t, db).Books[1]
	chart := ledger.Chart{Book: id.Test, Currency: "CNY"}
	s := db.Scribe(t, id.Test)
	s.Block(time.Now(), s.Transfer("pay_1:ch1", chart.Clearing("cha_0"), chart.Fees(), 5))
	var told [2]int64
	r, err := audit.Chain(t.Context(), audit.ChainOptions{Connect: connect(db), Known: []audit.Checkpoint{known}, After: true,
		Progress: func(done, total int64) { told = [2]int64{done, total} }})
	require.NoError(t, err)
	require.Empty(t, r.Breaks)
	require.EqualValues(t, 1, r.Blocks, "only what came since")
	require.Equal(t, [2]int64{1, 1}, told)
}
