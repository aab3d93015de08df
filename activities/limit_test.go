package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/domain/fault"
)

func TestTheLimiter(t *testing.T) {
	t.Parallel()
	l, now := NewLimiter(), time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	limits := channels.Limits{Limit: channels.Limit{AtOnce: 3}, Operations: map[channels.Operation]channels.Limit{
		channels.OpCharge: {PerSecond: 2, Burst: 2}, channels.OpAsk: {AtOnce: 1}}}
	enter := func(account string, op channels.Operation) (func(), error) {
		_, leave, err := l.Enter(Entry{account, op, limits, now, 0})
		return leave, err
	}
	held := func(err error) time.Duration {
		t.Helper()
		require.True(t, fault.Is(err, fault.KindUnavailable, "channel_limited"), "%v", err)
		return fault.As(err).RetryAfter
	}
	first, err := enter("cha_1", channels.OpCharge)
	require.NoError(t, err)
	second, err := enter("cha_1", channels.OpCharge)
	require.NoError(t, err)
	_, err = enter("cha_1", channels.OpCharge)
	require.Equal(t, 500*time.Millisecond, held(err), "the third of a second comes when its turn does")
	_, err = enter("cha_1", channels.OpCharge)
	require.Equal(t, 500*time.Millisecond, held(err), "who was held back has used nothing up")
	ask, err := enter("cha_1", channels.OpAsk)
	require.NoError(t, err, "another operation has limits of its own")
	_, err = enter("cha_1", channels.OpRefund)
	require.Equal(t, busyFor, held(err), "three calls at once are all of them")
	_, err = enter("cha_2", channels.OpRefund)
	require.NoError(t, err, "another account has limits of its own")
	first()
	first() // twice is once
	_, err = enter("cha_1", channels.OpAsk)
	held(err)
	ask()
	second()
	now = now.Add(500 * time.Millisecond)
	_, err = enter("cha_1", channels.OpCharge)
	require.NoError(t, err)
	wait, leave, err := l.Enter(Entry{"cha_1", channels.OpCharge, limits, now, time.Second})
	require.NoError(t, err)
	require.Equal(t, 500*time.Millisecond, wait, "the patient keep their place")
	leave()
	limits = channels.Limits{}
	for range 10 {
		_, err = enter("cha_1", channels.OpCharge)
		require.NoError(t, err, "limits that were lifted hold nobody back")
	}
}

func TestLimitsAreChecked(t *testing.T) {
	t.Parallel()
	require.NoError(t, channels.Limits{}.Check())
	for _, bad := range []channels.Limits{{Limit: channels.Limit{PerSecond: -1}}, {Limit: channels.Limit{TimeoutMS: 90_000}},
		{Operations: map[channels.Operation]channels.Limit{"smile": {}}}, {Operations: map[channels.Operation]channels.Limit{channels.OpAsk: {AtOnce: -1}}}} {
		require.True(t, fault.Is(bad.Check(), fault.KindInvalid, "limits_invalid"), "%+v", bad)
	}
}
