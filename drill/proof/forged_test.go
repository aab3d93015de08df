package proof

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"paysaga/channels/sandbox"
	"paysaga/channels/sandbox/server"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// forgeries is how many callbacks are forged, in all the ways below.
const forgeries = 10_000

// Ten thousand forged callbacks change no row of any table, move no saga, and
// leave no secret in the log (I-21, I-26).
func forgedCallbacks(t *testing.T, c *callbacks) {
	f := newForger(t, c)
	sagas, before := f.histories(t), f.tables(t)
	begun := time.Now()
	f.send(t, forgeries)
	t.Logf("%d forged callbacks in %s", forgeries, time.Since(begun).Round(time.Millisecond))
	if after := f.tables(t); !maps.Equal(before, after) {
		for table := range after {
			if before[table] != after[table] {
				t.Errorf("forged callbacks changed %s", table)
			}
		}
	}
	if now := f.histories(t); !maps.Equal(sagas, now) {
		t.Errorf("forged callbacks moved sagas: %v, %v", sagas, now)
	}
	text := c.log.String()
	for _, hidden := range []string{"sandbox-secret", sandbox.CallbackSecret("sandbox-secret"), "v1=", f.reference, "channel_id", "/pay/"} {
		if strings.Contains(text, hidden) {
			t.Errorf("the log holds %q", hidden)
		}
	}
	if !strings.Contains(text, "callback_forged") {
		t.Error("the log doesn't say that anything was refused")
	}
	f.foreign(t)
}

// forger has one payment that waits for its customer, one that holds an
// authorization, and one that was paid, and knows the callbacks of all of them.
type forger struct {
	*callbacks
	mine, other *stage.Merchant
	payments    []string
	genuine     [][]byte // bodies that the channel would send
	seen        []byte   // one that was received
	seenAt      string   // and its signature
	account     string
	reference   string
	ways        map[string]way
}

// way is a way to forge: a path, a body and a header made of genuine ones.
type way func(f *forger, dice *rand.Rand, body []byte) (path string, forged []byte, header http.Header)

func newForger(t *testing.T, c *callbacks) *forger {
	t.Helper()
	f := &forger{callbacks: c, ways: ways, mine: c.Merchant(t, payment.Terms{FeeBasisPoints: 60}, deaf), other: c.Merchant(t, payment.Terms{}, deaf)}
	sb := f.mine.Sandboxes[0]
	f.account = sb.Account
	waits := f.mine.Pay(t, stage.QR, nil)
	holds := f.mine.Pay(t, stage.Card("tok_ok"), map[string]any{"capture_method": "manual"})
	paid := f.mine.Pay(t, stage.Card("tok_ok"), nil)
	for _, a := range []stage.Answer{waits, holds, paid} {
		f.payments = append(f.payments, a.ID)
		body, _ := sb.Callback(a.ID)
		var e server.Event
		require.NoError(t, json.Unmarshal(body, &e))
		f.reference = e.Reference
		for i, s := range []server.State{server.Succeeded, server.Closed, server.Authorized} {
			e.EventID, e.State, e.Type = fmt.Sprintf("%s_%d", e.EventID, i), s, "charge."+string(s)
			said, err := json.Marshal(e)
			require.NoError(t, err)
			f.genuine = append(f.genuine, said)
		}
	}
	f.seen, f.seenAt = sb.Callback(paid.ID)
	code, err := c.post(in(f.account), f.seen, http.Header{"Sandbox-Signature": {f.seenAt}})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, code)
	require.NoError(t, c.placed(paid.ID))
	stage.Eventually(t, "nothing is on its way any more", func() bool {
		return c.text(t, `SELECT ((SELECT count(*) FROM events WHERE delivered_at IS NULL) + (SELECT count(*) FROM callbacks WHERE disposition IS NULL))::text`) == "0"
	})
	return f
}

func signed(signature string) http.Header { return http.Header{"Sandbox-Signature": {signature}} }

var ways = map[string]way{
	"unsigned": func(f *forger, _ *rand.Rand, b []byte) (string, []byte, http.Header) {
		return in(f.account), b, http.Header{}
	},
	"other key": func(f *forger, d *rand.Rand, b []byte) (string, []byte, http.Header) {
		return in(f.account), b, signed(server.Signature(sandbox.CallbackSecret(fmt.Sprint("guess", d.Uint64())), time.Now(), b))
	},
	"the account's own secret": func(f *forger, _ *rand.Rand, b []byte) (string, []byte, http.Header) {
		return in(f.account), b, signed(server.Signature("sandbox-secret", time.Now(), b))
	},
	"stale": func(f *forger, d *rand.Rand, b []byte) (string, []byte, http.Header) {
		return in(f.account), b, signed(sign(time.Now().Add(-time.Duration(301+d.IntN(1e6))*time.Second), b))
	},
	"of the future": func(f *forger, d *rand.Rand, b []byte) (string, []byte, http.Header) {
		return in(f.account), b, signed(sign(time.Now().Add(time.Duration(310+d.IntN(1e6))*time.Second), b))
	},
	"replayed": func(f *forger, _ *rand.Rand, _ []byte) (string, []byte, http.Header) {
		return in(f.account), f.seen, signed(f.seenAt)
	},
	"replayed under a new stamp": func(f *forger, _ *rand.Rand, _ []byte) (string, []byte, http.Header) {
		_, mac, _ := strings.Cut(f.seenAt, ",")
		return in(f.account), f.seen, signed(fmt.Sprintf("t=%d,%s", time.Now().Unix()+1, mac))
	},
	"re-encoded": func(f *forger, d *rand.Rand, b []byte) (string, []byte, http.Header) {
		again := bytes.Replace(b, []byte(`":`), []byte(`" :`), 1+d.IntN(5))
		return in(f.account), again, signed(sign(time.Now(), b))
	},
	"sorted anew": func(f *forger, _ *rand.Rand, b []byte) (string, []byte, http.Header) {
		var m map[string]any
		_ = json.Unmarshal(b, &m)
		again, _ := json.Marshal(m)
		return in(f.account), again, signed(sign(time.Now(), b))
	},
	"another amount": func(f *forger, d *rand.Rand, b []byte) (string, []byte, http.Header) {
		again := bytes.Replace(b, []byte(`"amount_minor":1234`), fmt.Appendf(nil, `"amount_minor":%d`, d.IntN(1e9)), 1)
		return in(f.account), append(again, ' '), signed(sign(time.Now(), b))
	},
	"truncated": func(f *forger, d *rand.Rand, b []byte) (string, []byte, http.Header) {
		return in(f.account), b[:d.IntN(len(b))], signed(sign(time.Now(), b))
	},
	"truncated and signed": func(f *forger, d *rand.Rand, b []byte) (string, []byte, http.Header) {
		cut := b[:d.IntN(len(b))]
		return in(f.account), cut, signed(sign(time.Now(), cut))
	},
	"a bit flipped": func(f *forger, d *rand.Rand, b []byte) (string, []byte, http.Header) {
		again := slices.Clone(b)
		again[d.IntN(len(again))] ^= 1 << d.IntN(7)
		return in(f.account), again, signed(sign(time.Now(), b))
	},
	"an account that isn't": func(f *forger, _ *rand.Rand, b []byte) (string, []byte, http.Header) {
		return in(f.Store.Mint(id.ChannelAccount)), b, signed(sign(time.Now(), b))
	},
	"another channel's": func(f *forger, _ *rand.Rand, b []byte) (string, []byte, http.Header) {
		return "/v1/callbacks/stripe/" + f.account, b, signed(sign(time.Now(), b))
	},
	"two signatures": func(f *forger, _ *rand.Rand, b []byte) (string, []byte, http.Header) {
		return in(f.account), b, http.Header{"Sandbox-Signature": {sign(time.Now(), b), sign(time.Now(), b)}}
	},
	"a header of nonsense": func(f *forger, d *rand.Rand, b []byte) (string, []byte, http.Header) {
		nonsense := []string{"", "t=,v1=", "v1=" + strings.Repeat("0", 64), "t=1", "t=9999999999999999999,v1=00", strings.Repeat("v1=00,", 900), "t=0x1,v1=zz"}
		return in(f.account), b, signed(nonsense[d.IntN(len(nonsense))])
	},
	"two names of one charge": func(f *forger, _ *rand.Rand, b []byte) (string, []byte, http.Header) {
		again := bytes.Replace(b, []byte(`:ch1"`), []byte(`:ch2"`), 1)
		return in(f.account), again, signed(sign(time.Now(), again))
	},
	"too much": func(f *forger, _ *rand.Rand, b []byte) (string, []byte, http.Header) {
		return in(f.account), append(slices.Clone(b), bytes.Repeat([]byte(" "), 64<<10)...), signed(sign(time.Now(), b))
	},
}

// send forges n callbacks, each in a way of its own.
func (f *forger) send(t *testing.T, n int) {
	names := slices.Sorted(maps.Keys(f.ways))
	work := make(chan int)
	var wg sync.WaitGroup
	for range 24 {
		wg.Go(func() {
			for i := range work {
				dice := rand.New(rand.NewPCG(firstSeed, uint64(i)))
				name := names[i%len(names)]
				path, body, header := f.ways[name](f, dice, f.genuine[dice.IntN(len(f.genuine))])
				code, err := f.post(path, body, header)
				if repeats := name == "replayed"; err != nil || (code == http.StatusOK) != repeats || code >= 500 {
					t.Errorf("%s (%d of seed %d) was answered %d, %v", name, i, firstSeed, code, err)
				}
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	wg.Wait()
}

// foreign is signed rightly, by an account that has nothing to do with the
// payment: it is kept, and becomes an orphan's case of that account, and that is
// all.
func (f *forger) foreign(t *testing.T) {
	before := f.tables(t)
	for i, body := range f.genuine {
		code, err := f.post(in(f.other.Sandboxes[0].Account), body, signed(sign(time.Now(), body)))
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, code, "%d", i)
	}
	stage.Eventually(t, "they are orphans", func() bool {
		return f.text(t, `SELECT count(*)::text FROM cases WHERE kind = 'orphan' AND channel_account = $1`, f.other.Sandboxes[0].Account) == fmt.Sprint(len(f.genuine))
	})
	after := f.tables(t)
	for _, table := range []string{"payments", "payment_parts", "payment_details", "attempts", "captures", "refunds", "orders", "journals", "entries", "accounts"} {
		if before[table] == "" || before[table] != after[table] {
			t.Errorf("another account's callbacks changed %s", table)
		}
	}
}

// tables is a digest of each table, but for what polls leave: lines about calls.
func (f *forger) tables(t *testing.T) map[string]string {
	t.Helper()
	ctx := context.Background()
	rows, err := f.db.Query(ctx, `SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
		AND NOT relispartition AND relname NOT IN ('channel_calls', 'audit_checkpoints')`)
	require.NoError(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Greater(t, len(names), 20)
	digests := map[string]string{}
	for _, name := range names {
		digests[name] = f.text(t, `SELECT count(*) || ' ' || coalesce(md5(string_agg(r::text, E'\n' ORDER BY r::text)), '') FROM `+pgx.Identifier{name}.Sanitize()+` r`)
	}
	return digests
}

// histories is how long the sagas' histories are.
func (f *forger) histories(t *testing.T) map[string]int {
	t.Helper()
	lengths := map[string]int{}
	for _, paymentID := range f.payments {
		it := f.Client.GetWorkflowHistory(context.Background(), workflows.PaymentID(paymentID), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for it.HasNext() {
			_, err := it.Next()
			require.NoError(t, err)
			lengths[paymentID]++
		}
	}
	return lengths
}
