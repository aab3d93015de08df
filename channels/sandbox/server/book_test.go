package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/sandbox/server"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

const childDir = "SANDBOX_TEST_CHILD_DIR"

// TestMain is the sandbox itself when the test below starts this binary once more.
func TestMain(m *testing.M) {
	dir := os.Getenv(childDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	s, err := server.New(server.Config{Dir: dir})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("http://" + l.Addr().String())
	_ = s.Serve(context.Background(), l)
}

func TestWhatWasAnsweredOutlivesAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	url, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)

	b := open(t, server.Config{}) // for its adapter only
	b.url = strings.TrimSpace(url)
	var mu sync.Mutex
	answered := map[string]string{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				c := b.call(id.Payment, id.Charge)
				got, err := b.ch.Charge(t.Context(), c, card("tok_ok"))
				if err != nil || got.Verdict != payment.Succeeded {
					return
				}
				mu.Lock()
				answered[c.Key.ID] = got.ChannelID
				if len(answered) == 500 {
					_ = child.Process.Kill()
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	_ = child.Wait()
	require.GreaterOrEqual(t, len(answered), 500)

	again, err := server.New(server.Config{Dir: dir})
	require.NoError(t, err)
	defer again.Close()
	for key, channelID := range answered {
		book := again.Lookup(key)
		require.Len(t, book.Charges, 1)
		require.Equal(t, channelID, book.Charges[0].ID)
	}
}

func TestABookIsLoadedAsItWas(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := open(t, server.Config{Dir: dir})
	auth, paid, qrCall := b.call(id.Payment, id.Charge), b.call(id.Payment, id.Charge), b.call(id.Payment, id.Charge)
	out := b.charge(auth, card("tok_authorize"))
	_, err := b.ch.Capture(t.Context(), b.call(id.Payment, id.CaptureOut), channels.CaptureRequest{ChargeKey: auth.Key.ID,
		ChannelID: out.ChannelID, AmountMinor: 1000, Currency: "CNY", Final: true})
	require.NoError(t, err)
	b.charge(paid, card("tok_ok"))
	_, err = b.ch.Refund(t.Context(), b.call(id.Refund, id.RefundOut), channels.RefundRequest{ChargeKey: paid.Key.ID, AmountMinor: 34, Currency: "CNY"})
	require.NoError(t, err)
	b.charge(qrCall, qr(""))
	_, err = b.ch.Payout(t.Context(), b.call(id.Payout, id.PayoutOut), channels.PayoutRequest{AmountMinor: 7, Currency: "CNY", Destination: "dest_ok"})
	require.NoError(t, err)
	before := b.s.Summarize()
	books := map[string]server.Book{}
	for _, c := range []channels.Call{auth, paid, qrCall} {
		books[c.Key.ID] = b.s.Lookup(c.Key.ID)
	}
	_, err = server.New(server.Config{Dir: dir})
	require.ErrorContains(t, err, "another sandbox uses")
	require.NoError(t, b.s.Close())

	// A line that was being written when the process died.
	path := filepath.Join(dir, "book.jsonl")
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(`{"charge":{"id":"sbx_99","acc`)
	require.NoError(t, err)
	require.NoError(t, f.Close())

	b = open(t, server.Config{Dir: dir})
	assert.Equal(t, before, b.s.Summarize())
	for key, want := range books {
		assert.Equal(t, want, b.s.Lookup(key))
	}
	paid.Account = b.account()
	assert.Equal(t, payment.Succeeded, b.charge(paid, card("tok_ok")).Verdict, "keys are remembered")
	assert.Equal(t, before.Charges, b.s.Summarize().Charges)
	require.NoError(t, b.s.Close())

	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, append([]byte("garbage\n"), raw...), 0o600))
	_, err = server.New(server.Config{Dir: dir})
	require.ErrorContains(t, err, "line 1", "a book with holes is no judge")
}

func TestTheStatementOfADay(t *testing.T) {
	t.Parallel()
	b := open(t, server.Config{})
	paid, auth := b.call(id.Payment, id.Charge), b.call(id.Payment, id.Charge)
	b.charge(paid, card("tok_ok"))
	b.charge(auth, card("tok_authorize"))
	b.charge(b.call(id.Payment, id.Charge), card("tok_stolen"))
	refund := b.call(id.Refund, id.RefundOut)
	_, err := b.ch.Refund(t.Context(), refund, channels.RefundRequest{ChargeKey: paid.Key.ID, AmountMinor: 34, Currency: "CNY"})
	require.NoError(t, err)
	read := func(r channels.StatementRequest) (string, error) {
		body, err := b.ch.Statement(t.Context(), b.account(), r)
		if err != nil {
			return "", err
		}
		defer body.Close()
		raw, err := io.ReadAll(body)
		return string(raw), err
	}
	text, err := read(channels.StatementRequest{Day: b.s.Now()})
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(text), "\n")
	require.Len(t, lines, 4)
	assert.Equal(t, server.StatementHeader, lines[0])
	assert.Contains(t, lines[1], "charge,sbx_1,"+paid.Key.Reference+","+paid.Key.ID+",,1234,0,CNY,")
	assert.Contains(t, lines[2], ","+refund.Key.ID+",sbx_1,-34,0,CNY,")
	assert.Equal(t, "end,2", lines[3])

	text, err = read(channels.StatementRequest{Day: b.s.Now().AddDate(0, 0, -2)})
	require.NoError(t, err)
	assert.Equal(t, server.StatementHeader+"\nend,0\n", text)

	for _, f := range []string{"truncated", "garbage", "empty", "500_after"} {
		b.admin("/admin/script", fmt.Sprintf(`{"operation":"statement","fault":%q}`, f))
		_, err = read(channels.StatementRequest{Day: b.s.Now()})
		assert.Error(t, err, f)
	}
}
