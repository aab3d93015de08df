package store_test

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/store"
)

// A large batch whose causes another process brings one by one, from the other end, meets a key that was just taken at each
// try. That is nobody's fault, and nobody may hear of it.
func TestABatchThatLosesEachRaceGoesOn(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(c *store.Config) { c.MaxBatch = 512 })
	config := d.db.Config
	config.MaxBatch, config.Lanes = 1, 1
	other, err := store.Open(t.Context(), config)
	require.NoError(t, err)
	defer other.Close()
	const causes = 300
	step := func(round, i int) ledger.Step {
		return ledger.Step{Book: id.Test, Cause: fmt.Sprintf("r%d:s%03d", round, i), By: ledger.Service("test")}
	}
	for round := range 5 {
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := causes - 1; i >= 0; i-- {
				_, err := other.Commit(context.Background(), step(round, i))
				if err != nil {
					t.Errorf("one by one: %s: %v", step(round, i).Cause, err)
				}
			}
		})
		for i := range causes {
			wg.Go(func() {
				_, err := d.s.Commit(context.Background(), step(round, i))
				if err != nil {
					t.Errorf("together: %s: %v", step(round, i).Cause, err)
				}
			})
		}
		wg.Wait()
		require.Equal(t, int64(causes), d.number(`SELECT count(*) FROM causes WHERE cause LIKE $1`, fmt.Sprintf("r%d:%%", round)))
	}
	require.Zero(t, d.number(`SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`))
}

// A cache that starts anew in the middle of a Step costs a question, not the Step.
func TestAFullCacheOfAccountsCostsNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.commit(d.move("x:a1", till(1), till(2), 1))
	d.s.CrowdAccounts(id.Test, 0)
	d.commit(d.move("x:a2", till(1), till(3), 1)) // till 3 is the one too many
	d.s.CrowdAccounts(id.Test, 1)
	d.commit(d.move("x:a3", till(4), till(5), 1)) // both are new, and only one fits
}

// Two journals that each fit may not make a hot account unreadable for ever.
func TestAHotAccountThatOverflowsStaysReadable(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.commit(d.move("x:a1", till(1), till(2), 1))
	require.NoError(t, d.s.MarkHot(t.Context(), d.account(till(1)), ledger.Service("test")))
	refused := 0
	for i := range 3 {
		_, err := d.s.Commit(t.Context(), d.move(fmt.Sprintf("x:b%d", i), till(1), till(10+i), math.MaxInt64))
		if err != nil {
			refused++
		}
	}
	_, err := d.s.Balance(t.Context(), id.Test, "", d.account(till(1)), time.Time{}, ledger.ByBooking)
	require.NoError(t, err, "%d of 3 refused", refused)
}

// Somebody else holds one account for long. Those who want it hear of that in time, however many they are; all others go on.
func TestAnAccountThatIsHeldHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fund(1, 100)
	d.commit(d.move("x:warm", till(1), till(2), 1))
	tx, err := d.db.Owner.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	_, err = tx.Exec(t.Context(), `SELECT FROM accounts WHERE code = 'purse/p1' FOR UPDATE`)
	require.NoError(t, err)
	var steps []ledger.Step
	for i := range 16 {
		steps = append(steps, d.move(fmt.Sprintf("x:a%d", i), []ledger.Account{purse(1), till(1)}[i%2], till(2), 1))
	}
	began := time.Now()
	answers := d.batch(steps...)
	require.Less(t, time.Since(began), 30*time.Second)
	for i, a := range answers {
		if i%2 == 0 {
			d.refused(a, fault.KindUnavailable, "store_busy")
		} else {
			d.fresh(a)
		}
	}
}
