package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/store"
)

// A key made before a scope came gets it by an act, and only what such a key
// can have; each act leaves who and why, a refused one nothing.
func TestScopesOfKeys(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	ctx := t.Context()
	by := ledger.Principal{Kind: ledger.ByOperator, ID: "opr_1", Reason: "disputes have come"}
	old := slices.DeleteFunc(slices.Clone(access.MerchantScopes), func(s access.Scope) bool { return s == access.DisputesRead })
	keyID, token, err := h.s.CreateKey(ctx, store.KeyGrant{Book: h.Book, MerchantID: h.MerchantID, Scopes: old})
	require.NoError(t, err)
	may := func() bool {
		p, err := h.s.Authenticate(ctx, token)
		require.NoError(t, err)
		return p.May(access.DisputesRead)
	}
	require.False(t, may())
	with := func(s ...access.Scope) func(store.APIKey) []access.Scope {
		return func(k store.APIKey) []access.Scope { return append(slices.Clone(k.Scopes), s...) }
	}
	k, err := h.s.ScopeKey(ctx, keyID, with(access.DisputesRead), by)
	require.NoError(t, err)
	require.Empty(t, access.Missing(k.Kind(), k.Scopes))
	require.True(t, may(), "this process hears of it at once")

	for what, refused := range map[string]func(store.APIKey) []access.Scope{
		"what operators alone may":  with(access.RiskReview),
		"what isn't a scope":        with("disputes"),
		"a key that may do nothing": func(store.APIKey) []access.Scope { return nil },
	} {
		_, err := h.s.ScopeKey(ctx, keyID, refused, by)
		require.Equal(t, fault.KindInvalid, fault.Of(err), what)
	}
	_, err = h.s.ScopeKey(ctx, keyID, func(k store.APIKey) []access.Scope { return k.Scopes }, by)
	require.NoError(t, err, "nothing changes")
	_, err = h.s.ScopeKey(ctx, keyID, with(access.RiskWrite), ledger.Principal{Kind: ledger.ByOperator, ID: "opr_1"})
	require.True(t, fault.Is(err, fault.KindInvalid, "reason_missing"))
	_, err = h.s.ScopeKey(ctx, h.s.Mint(id.APIKey), with(access.RiskWrite), by)
	require.Equal(t, fault.KindNotFound, fault.Of(err))

	acts, err := h.s.KeyActs(ctx, keyID)
	require.NoError(t, err)
	require.Len(t, acts, 1)
	require.Equal(t, []string{"scopes", "operator opr_1", "disputes have come"}, []string{acts[0].Act, acts[0].By, acts[0].Reason})
	require.Contains(t, acts[0].Scopes, access.DisputesRead)
	require.Error(t, h.s.EndKey(ctx, keyID, ledger.Principal{}))
}

// A rotated key goes on for a while beside its successor, then it ends; a
// revoked one ends at once, also in the middle of a rotation.
func TestKeysAreRotated(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	ctx := t.Context()
	by := ledger.Principal{Kind: ledger.ByOperator, ID: "opr_1", Reason: "once a year"}
	works := func(token string) bool {
		_, err := h.s.Authenticate(ctx, token)
		return err == nil
	}
	keyID, token, err := h.s.CreateKey(ctx, store.KeyGrant{Book: h.Book, MerchantID: h.MerchantID, Scopes: []access.Scope{access.PaymentsRead}, By: by})
	require.NoError(t, err)
	next, second, err := h.s.RotateKey(ctx, keyID, time.Hour, by)
	require.NoError(t, err)
	require.Equal(t, []access.Scope{access.PaymentsRead}, next.Scopes)
	require.True(t, works(token) && works(second), "both work")
	_, _, err = h.s.RotateKey(ctx, keyID, time.Hour, by)
	require.True(t, fault.Is(err, fault.KindConflict, "key_revoked"), "%v", err)

	require.NoError(t, h.s.EndKey(ctx, keyID, by))
	require.False(t, works(token), "who revokes doesn't wait for the end of the overlap")
	require.NoError(t, h.s.EndKey(ctx, keyID, by))
	_, third, err := h.s.RotateKey(ctx, next.ID, 0, by)
	require.NoError(t, err)
	require.False(t, works(second))
	require.True(t, works(third))

	var told []string
	for _, one := range []string{keyID, next.ID} {
		acts, err := h.s.KeyActs(ctx, one)
		require.NoError(t, err)
		for _, a := range acts {
			told = append(told, a.Act)
		}
	}
	require.Equal(t, []string{"create", "rotate", "revoke", "create", "rotate"}, told)
	list, err := h.s.Keys(ctx, h.Book, h.MerchantID)
	require.NoError(t, err)
	require.Len(t, list, 4, "with the one that the shop began with")
}
