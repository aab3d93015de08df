package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/bank"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

func newBankFolder(t *testing.T) (string, bank.Folder) {
	t.Helper()
	at := t.TempDir()
	require.NoError(t, initBankFolder(at))
	require.NoError(t, initBankFolder(at), "again: nothing to do")
	f, err := openBankFolder(at)
	require.NoError(t, err)
	return at, f
}

func TestABanksFolderKeepsItsPromises(t *testing.T) {
	t.Parallel()
	at, f := newBankFolder(t)
	ctx := t.Context()
	_, err := f.Open(ctx, "book/a/b")
	assert.Equal(t, fault.KindNotFound, fault.Of(err), "%v", err)
	require.NoError(t, f.Create(ctx, "book/a/b", []byte("first")))
	err = f.Create(ctx, "book/a/b", []byte("second"))
	assert.True(t, fault.Is(err, fault.KindConflict, "file_exists"), "%v", err)
	r, err := f.Open(ctx, "book/a/b")
	require.NoError(t, err)
	content, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	assert.Equal(t, "first", string(content))
	require.NoError(t, os.WriteFile(filepath.Join(at, "book/a/.new-x"), nil, 0o600)) // what a death in the middle leaves
	list, err := f.List(ctx, "book/a")
	require.NoError(t, err)
	require.Len(t, list, 1)
	assert.Equal(t, "b", list[0].Name)
	assert.Equal(t, int64(5), list[0].Size)
	none, err := f.List(ctx, "book/none")
	require.NoError(t, err)
	assert.Empty(t, none)
	require.NoError(t, f.Move(ctx, "book/a/b", "outbox/c"))
	assert.Equal(t, fault.KindNotFound, fault.Of(f.Move(ctx, "book/a/b", "outbox/c")))
	require.NoError(t, f.Remove(ctx, "outbox/c"))
	require.NoError(t, f.Remove(ctx, "outbox/c"))
	for _, name := range []string{"../out", "/etc/passwd"} {
		assert.Error(t, f.Create(ctx, name, nil), "%s leads out of the folder", name)
	}
}

// Of many who create one file exactly one does, and whoever reads sees all of it.
func TestOneOfManyCreatesAFile(t *testing.T) {
	t.Parallel()
	_, f := newBankFolder(t)
	var wins sync.Map
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			if f.Create(t.Context(), "book/x/one", []byte(strings.Repeat(string(rune('a'+i)), 10000))) == nil {
				wins.Store(i, true)
			}
		})
	}
	all.Wait()
	n := 0
	wins.Range(func(any, any) bool { n++; return true })
	assert.Equal(t, 1, n)
}

func TestAFolderIsLockedOnce(t *testing.T) {
	t.Parallel()
	_, f := newBankFolder(t)
	unlock, err := f.Lock(t.Context())
	require.NoError(t, err)
	_, err = f.Lock(t.Context())
	assert.True(t, fault.Is(err, fault.KindConflict, "folder_busy"), "%v", err)
	unlock()
	unlock, err = f.Lock(t.Context())
	require.NoError(t, err)
	unlock()
}

// A folder that isn't mounted looks empty. Who believed that would pay everything again.
func TestAFolderThatIsNotOursIsNotRead(t *testing.T) {
	t.Parallel()
	f, err := openBankFolder(t.TempDir())
	require.NoError(t, err)
	_, err = f.List(t.Context(), "inbox")
	assert.True(t, fault.Is(err, fault.KindUnavailable, "folder_missing"), "%v", err)
	assert.True(t, fault.Is(f.Create(t.Context(), "book/x", nil), fault.KindUnavailable, "folder_missing"))
}

// The adapter over a folder of the file system: a payout leaves, and the bank's answer is read.
func TestAPayoutThroughTheFileSystem(t *testing.T) {
	t.Parallel()
	at, _ := newBankFolder(t)
	account := channels.Account{ID: "cha_0c0300j3w460l0pcfcz6z0kx42", Channel: bank.Name, Book: id.Test, Credentials: map[string]string{
		bank.FolderPath: at, bank.Holder: "Tea House", bank.AccountIBAN: "DE89370400440532013000", bank.AccountBIC: "COBADEFFXXX"}}
	ch := bank.New(openBankFolder)
	require.NoError(t, channels.Guard(ch).Probe(t.Context(), account))
	now := time.Date(2026, 11, 16, 10, 0, 0, 0, time.UTC)
	key, err := channels.NewKey(id.Key(id.New(id.Payout, 1, [10]byte{1}), id.Step{Code: id.PayoutOut, Ordinal: 1}), "hash", now)
	require.NoError(t, err)
	call := channels.Call{Account: account, Key: key, Now: now}
	request := channels.PayoutRequest{AmountMinor: 100, Currency: "EUR", Destination: "iban:FR1420041010050500013M02606", Name: "Ada"}
	_, err = ch.Payout(t.Context(), call, request)
	require.NoError(t, err)
	var told []bank.Told
	tell := func(_ context.Context, one bank.Told) error { told = append(told, one); return nil }
	did, err := ch.Work(t.Context(), account, now.Add(5*time.Hour), tell)
	require.NoError(t, err)
	assert.Equal(t, 1, did.Sent)
	sent, err := filepath.Glob(filepath.Join(at, bank.Outbox, "*.xml"))
	require.NoError(t, err)
	require.Len(t, sent, 1)
	msgID := strings.TrimSuffix(filepath.Base(sent[0]), ".xml")
	require.NoError(t, os.WriteFile(filepath.Join(at, bank.Inbox, "answer.xml"), []byte(`<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.03"><CstmrPmtStsRpt>
<GrpHdr><MsgId>1</MsgId><CreDtTm>2026-11-16T15:00:00</CreDtTm></GrpHdr><OrgnlGrpInfAndSts><OrgnlMsgId>`+msgID+`</OrgnlMsgId><OrgnlMsgNmId>pain.001</OrgnlMsgNmId><GrpSts>ACSC</GrpSts></OrgnlGrpInfAndSts>
</CstmrPmtStsRpt></Document>`), 0o600))
	_, err = ch.Work(t.Context(), account, now.Add(6*time.Hour), tell)
	require.NoError(t, err)
	require.Len(t, told, 1)
	out, err := ch.AskPayout(t.Context(), call, request)
	require.NoError(t, err)
	assert.Equal(t, payment.Succeeded, out.Verdict)
}
