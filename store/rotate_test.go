package store_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/store"
	"paysaga/store/storetest"
)

// Everything that is sealed is sealed anew, beside a process that knows both keys; then the old key isn't needed any more.
func TestKeysRotate(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	var paid []string
	for _, name := range []string{"A-1", "A-2", "A-3"} {
		paid = append(paid, h.paid(name, cny(1234)))
	}
	both := store.SealKeys{Current: "new", Keys: map[string][]byte{"new": []byte(strings.Repeat("n", 32)), "test": storetest.SealKeys.Keys["test"]}}
	r := store.Rotation{OwnerURL: h.db.OwnerURL, SealKeys: both, Page: 2}
	calls := 0
	r.Progress = func(seen, about int64) { calls++; require.LessOrEqual(t, seen, about) }
	first, err := store.Rotate(t.Context(), r)
	require.NoError(t, err)
	require.Greater(t, first.Columns, 12)
	require.GreaterOrEqual(t, first.Sealed, int64(1+3*2), "an account; secrets and requests of payments")
	require.Equal(t, first.Seen, first.Sealed)
	require.NotZero(t, calls)
	again, err := store.Rotate(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, first.Seen, again.Seen)
	require.Zero(t, again.Sealed, "what is done is skipped: that is how it goes on where it was interrupted")

	alone := h.db.Config
	alone.SealKeys = store.SealKeys{Current: "new", Keys: map[string][]byte{"new": both.Keys["new"]}}
	s, err := store.Open(t.Context(), alone)
	require.NoError(t, err)
	defer s.Close()
	a, err := s.Account(t.Context(), "sandbox", h.ChannelAccount)
	require.NoError(t, err)
	require.NotEmpty(t, a.Credentials)
	for _, p := range paid {
		d, err := s.Dossier(t.Context(), h.Book, p)
		require.NoError(t, err)
		require.Equal(t, "tok_ok", d.Secrets.Token)
		i, err := s.Intent(t.Context(), h.Book, d.Attempts[0].Key)
		require.NoError(t, err, "a frozen request is what it was (I-13)")
		require.Equal(t, channels.ChargeRequest{AmountMinor: 1234, Currency: "CNY", Method: i.Request.Method, Capture: true}, i.Request)
	}
	h.db.Audit(t)

	r.SealKeys = alone.SealKeys
	_, err = h.db.Owner.Exec(t.Context(), `UPDATE channel_accounts SET credentials_sealed = set_byte(credentials_sealed, length(credentials_sealed) - 1, 0) || '\x00'`)
	require.NoError(t, err)
	r.SealKeys = store.SealKeys{Current: "next", Keys: map[string][]byte{"next": []byte(strings.Repeat("x", 32)), "new": both.Keys["new"]}}
	_, err = store.Rotate(t.Context(), r)
	require.Equal(t, fault.KindInternal, fault.Of(err))
	require.ErrorContains(t, err, "channel_accounts.credentials_sealed of test "+h.ChannelAccount)
}

// A version from before the envelope reads what is written directly; this one reads both, and brings each to the form of now.
func TestDirectSealsAreRead(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	old := db.Config
	old.SealKeys.Direct = true
	s, err := store.Open(t.Context(), old)
	require.NoError(t, err)
	defer s.Close()
	direct, err := s.Seal([]byte("hunter2"))
	require.NoError(t, err)
	require.Equal(t, byte(1), direct[0])
	for i := range direct {
		broken := append([]byte(nil), direct...)
		broken[i] ^= 1
		_, err := s.OpenSealed(broken)
		require.Error(t, err, "byte %d", i)
	}
	plain, err := db.Store.OpenSealed(direct)
	require.NoError(t, err)
	require.Equal(t, "hunter2", string(plain))
	envelope, err := db.Store.Seal(plain)
	require.NoError(t, err)
	require.Equal(t, byte(2), envelope[0])
	plain, err = s.OpenSealed(envelope)
	require.NoError(t, err)
	require.Equal(t, "hunter2", string(plain))
}
