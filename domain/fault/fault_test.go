package fault

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEveryConstructorHasItsKind(t *testing.T) {
	t.Parallel()
	cause := errors.New("dial tcp")
	for kind, e := range map[Kind]*Error{
		KindInvalid:     Invalid("amount_invalid", "amount", "m"),
		KindDenied:      Denied("scope_missing", "m"),
		KindNotFound:    NotFound("payment"),
		KindConflict:    Conflict("order_paid", "m"),
		KindUnavailable: Unavailable("channel_down", "m", cause),
		KindUnknown:     Unknown("channel_timeout", "m", cause),
		KindInternal:    Internal("m", cause),
	} {
		require.Equal(t, kind, e.Kind)
		require.Equal(t, kind, Of(e))
		require.True(t, kind.Valid())
		require.Equal(t, kind, Of(New(kind, e.Code, e.Message)))
	}
	require.Len(t, Kinds(), 7)
	for _, kind := range Kinds() {
		require.True(t, kind.Valid())
	}
	require.Equal(t, KindInternal, New("nonsense", "c", "m").Kind)
}

func TestUnclassifiedIsInternal(t *testing.T) {
	t.Parallel()
	require.Equal(t, Kind(""), Of(nil))
	require.Nil(t, As(nil))

	plain := errors.New("password=hunter2")
	e := As(plain)
	require.Equal(t, KindInternal, e.Kind)
	require.ErrorIs(t, e, plain)

	var none *Error
	require.Equal(t, KindInternal, Of(none), "a nil *Error in an error is a bug, not a success")
	require.NotPanics(t, func() { _ = none.Error(); _ = none.Unwrap() })
	require.Equal(t, KindInternal, Of(&Error{}), "an error without a kind was not classified")
}

func TestTheOutermostFaultWins(t *testing.T) {
	t.Parallel()
	inner := Unknown("timeout", "m", nil)
	outer := Conflict("cause_differs", "m").Wrap(inner)
	require.Equal(t, KindConflict, Of(fmt.Errorf("commit: %w", outer)))
	require.Equal(t, KindUnknown, Of(fmt.Errorf("charge: %w", inner)))
	require.True(t, Is(outer, KindConflict, "cause_differs"))
	require.True(t, Is(outer, KindConflict, ""))
	require.False(t, Is(outer, KindConflict, "other"))
	require.False(t, Is(nil, KindConflict, ""))
}

func TestTextHoldsNoCause(t *testing.T) {
	t.Parallel()
	secret := errors.New("postgres://u:hunter2@h/db")
	for want, e := range map[string]*Error{
		"invalid amount_invalid: not an amount (order.lines[0].tax)": Invalid("amount_invalid", "order.lines[0].tax", "not an amount"),
		"internal: commit failed":                                    Internal("commit failed", secret),
		"not_found: no such payment":                                 NotFound("payment"),
		"unavailable channel_down: dial refused":                     Unavailable("channel_down", "dial refused", secret),
	} {
		require.Equal(t, want, e.Error())
	}
}

func TestWithLeavesTheOriginalAlone(t *testing.T) {
	t.Parallel()
	base := Invalid("amount_exceeds_order", "amount", "m").WithDetail("remaining", "1.00")
	cause := errors.New("c")
	other := base.WithParam("capture.amount").WithRetryAfter(time.Second).WithDetail("remaining", "2.00").Wrap(cause)

	require.Equal(t, "amount", base.Param)
	require.Equal(t, "1.00", base.Details["remaining"])
	require.Zero(t, base.RetryAfter)
	require.NoError(t, base.Unwrap())

	require.Equal(t, "capture.amount", other.Param)
	require.Equal(t, "2.00", other.Details["remaining"])
	require.Equal(t, time.Second, other.RetryAfter)
	require.ErrorIs(t, other, cause)
}

func TestUnderPrefixesTheParam(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ path, param, want string }{
		{"order", "", "order"},
		{"", "lines[0]", "lines[0]"},
		{"order", "lines[0].tax", "order.lines[0].tax"},
		{"lines", "[2].tax", "lines[2].tax"},
	} {
		require.Equal(t, c.want, As(Under(c.path, Invalid("c", c.param, "m"))).Param)
	}
	plain := errors.New("x")
	require.Equal(t, plain, Under("order", plain))
	require.NoError(t, Under("order", nil))
}
