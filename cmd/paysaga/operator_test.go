package main

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/id"
)

// keyFile writes a key as `operator create` does.
func keyFile(t *testing.T) (path string, o access.Operator) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	o = access.Operator{ID: id.New(id.Operator, uint64(time.Now().UnixMilli()), [10]byte{1}), Name: "Mei", PublicKey: public}
	path = filepath.Join(t.TempDir(), "mei.key")
	require.NoError(t, writeKey(path, o.ID, private))
	return path, o
}

func TestASignedDecisionIsWhatTheSagaVerifies(t *testing.T) {
	t.Parallel()
	path, o := keyFile(t)
	pay := id.New(id.Payment, 1, [10]byte{2})
	code, out, errs := paysaga(t, nil, "operator", "sign", "--key", path, "--payment", pay, "--decision", "mark_failed", "--reason", "the bank says no")
	require.Zero(t, code, errs)
	signed := strings.TrimSpace(out)

	read, err := access.ReadDecision(signed)
	require.NoError(t, err)
	require.Equal(t, o.ID, read.Operator)
	want := access.Decision{BusinessID: pay, Decision: "mark_failed", Reason: "the bank says no"}
	require.NoError(t, o.Verify(signed, want, time.Now()))
	want.Decision = "mark_succeeded"
	require.Equal(t, fault.KindDenied, fault.Of(o.Verify(signed, want, time.Now())))
}

func TestAKeyFileIsPrivateAndNeverOverwritten(t *testing.T) {
	t.Parallel()
	path, o := keyFile(t)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	_, other, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	require.ErrorIs(t, writeKey(path, o.ID, other), os.ErrExist)
	operator, private, err := readKey(path)
	require.NoError(t, err)
	require.Equal(t, o.ID, operator)
	require.Equal(t, o.PublicKey, private.Public())

	code, _, errs := paysaga(t, good(), "operator", "create", "Mei", "--key-file", path)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "never overwritten")
}

func TestSigningRefusesWhatIsNoKey(t *testing.T) {
	t.Parallel()
	open, _ := keyFile(t)
	require.NoError(t, os.Chmod(open, 0o644))
	text := filepath.Join(t.TempDir(), "text.key")
	require.NoError(t, os.WriteFile(text, []byte("hunter2"), 0o600))
	good, _ := keyFile(t)
	pay := id.New(id.Payment, 1, [10]byte{2})
	for _, c := range []struct{ key, payment, decision, says string }{
		{open, pay, "accept", "chmod 600"},
		{text, pay, "accept", "not a file of"},
		{filepath.Join(t.TempDir(), "none.key"), pay, "accept", "no such file"},
		{good, "ord_1", "accept", "not the id of a payment"},
		{good, pay, "perhaps", "must be one of"},
	} {
		code, out, errs := paysaga(t, nil, "operator", "sign", "--key", c.key, "--payment", c.payment, "--decision", c.decision, "--reason", "because")
		require.Equal(t, 1, code)
		require.Contains(t, errs, c.says)
		require.NotContains(t, out+errs, "hunter2")
	}
}
