package access

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
)

func TestAPasswordVerifiesAgainstItsHashAlone(t *testing.T) {
	t.Parallel()
	hash := HashPassword("correct horse", [SaltLen]byte{1})
	require.True(t, strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$"))
	require.True(t, VerifyPassword(hash, "correct horse"))
	require.NotEqual(t, hash, HashPassword("correct horse", [SaltLen]byte{2}))
	for _, wrong := range []string{"", "correct horsf", "Correct horse", "correct horse "} {
		require.False(t, VerifyPassword(hash, wrong), wrong)
	}
	for _, broken := range []string{"", "x", hash[:len(hash)-1], strings.Replace(hash, "argon2id", "argon2i", 1), strings.Replace(hash, "v=19", "v=16", 1),
		strings.Replace(hash, "p=1", "p=0", 1), strings.Replace(hash, "t=2", "t=0", 1), strings.Replace(hash, "m=19456", "m=99999999999", 1), strings.Replace(hash, "m=19456", "m=x", 1)} {
		require.False(t, VerifyPassword(broken, "correct horse"), broken)
	}
	require.False(t, VerifyPassword("", ""), "nobody's password is the empty one")
}

func TestLoginsHaveOneSpelling(t *testing.T) {
	t.Parallel()
	login, err := CheckLogin("  Ada@Example.com ")
	require.NoError(t, err)
	require.Equal(t, Login("ada@example.com"), login)
	for _, bad := range []string{"", "ab", "a b c", "ada\x00", strings.Repeat("a", 201), "\xff\xfe\xfd"} {
		_, err := CheckLogin(bad)
		require.True(t, fault.Is(err, fault.KindInvalid, "login_invalid"), "%q", bad)
	}
	require.NotEqual(t, login.Digest([]byte("k"), "mer_1"), login.Digest([]byte("k"), "mer_2"), "a login is one merchant's")
	require.NotEqual(t, login.Digest([]byte("k"), "mer_1"), login.Digest([]byte("l"), "mer_1"))
}

func TestWaitsDoubleAndEnd(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for failed, wait := range map[int]time.Duration{0: 0, 4: 0, 5: time.Second, 6: 2 * time.Second, 14: 512 * time.Second, 15: 15 * time.Minute, 1 << 30: 15 * time.Minute} {
		require.Equal(t, wait, NextGuess(failed, at).Sub(at), failed)
	}
	require.False(t, Forgets(at, at.Add(24*time.Hour)))
	require.True(t, Forgets(at, at.Add(24*time.Hour+1)))
	require.Equal(t, TokenPeriod(at), TokenPeriod(at.Add(time.Hour)))
	require.NotEqual(t, TokenPeriod(at), TokenPeriod(at.Add(tokenPeriod)))
}
