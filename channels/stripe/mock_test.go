package stripe_test

import (
	"bufio"
	"context"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/stripe"
	"paysaga/channels/wire"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// stripeMock runs Stripe's own stripe-mock on a free port and returns its address. It holds requests against Stripe's
// OpenAPI: an unknown, missing or ill-typed parameter is a 400.
func stripeMock(t *testing.T) string {
	t.Helper()
	root, err := exec.Command("go", "env", "GOMOD").Output()
	require.NoError(t, err)
	tools := strings.TrimSuffix(strings.TrimSpace(string(root)), "go.mod") + "tools.mod"
	binary, err := exec.Command("go", "tool", "-modfile="+tools, "-n", "stripe-mock").Output()
	require.NoError(t, err)
	cmd := exec.Command(strings.TrimSpace(string(binary)), "-http-addr", "127.0.0.1:")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, addr, ok := strings.Cut(lines.Text(), "at address: "); ok {
			return "http://" + addr
		}
	}
	require.Fail(t, "stripe-mock said no address")
	return ""
}

func TestStripeMockTakesEveryRequest(t *testing.T) {
	t.Parallel()
	url := stripeMock(t)
	client := wire.New(wire.Config{})
	t.Cleanup(client.CloseIdle)
	b := &bench{T: t, ch: channels.Guard(stripe.New(client)), fake: newBench(t).fake, account: channels.Account{
		ID: "cha_01", Channel: stripe.Name, Book: id.Test, BaseURL: url,
		Credentials: map[string]string{stripe.SecretKey: "sk_test_mock"}}}
	ctx := context.Background()

	hold, short, qr, redirect := card("pm_card_visa"), card("pm_card_visa"), card(""), card("")
	hold.Capture, hold.Description = false, "order 42"
	short.ReturnURL = ""
	qr.Method, redirect.Method = payment.Method{Type: payment.MethodQR}, payment.Method{Type: payment.MethodRedirect}
	// stripe-mock keeps no state and no metadata, so every object it shows is another's. That is what has to be said: it
	// means that the request was taken and the answer read.
	foreign := func(out payment.Outcome, err error) {
		t.Helper()
		require.NoError(t, err)
		assert.Equal(t, payment.Unknown, out.Verdict)
		assert.Contains(t, out.Reason, "stripe answered with another")
	}
	for _, r := range []channels.ChargeRequest{card("pm_card_visa"), card("ctoken_1"), hold, short, qr, redirect} {
		foreign(b.ch.Charge(ctx, b.call(id.Charge), r))
	}
	call := b.call(id.Charge)
	call.ChannelID = "pi_1"
	out, err := b.ch.Ask(ctx, call, hold) // the id first, then the list
	require.NoError(t, err)
	assert.Equal(t, payment.Absent, out.Verdict)
	foreign(b.ch.Cancel(ctx, call, hold)) // takes the key, then cancels
	foreign(b.ch.Capture(ctx, b.call(id.CaptureOut), channels.CaptureRequest{ChargeKey: call.Key.ID, ChannelID: "pi_1", AmountMinor: 100,
		Currency: "EUR", Final: true}))
	refund := channels.RefundRequest{ChannelID: "pi_1", AmountMinor: 100, Currency: "EUR", Reason: "duplicate"}
	foreign(b.ch.Refund(ctx, b.call(id.RefundOut), refund))
	ask := b.call(id.RefundOut)
	ask.ChannelID = "re_1"
	out, err = b.ch.AskRefund(ctx, ask, refund)
	require.NoError(t, err)
	assert.Equal(t, payment.Absent, out.Verdict)

	// And it does refuse what isn't right, or all of the above would prove nothing.
	b.account.Credentials[stripe.RedirectMethod] = "carrier_pigeon"
	_, err = b.ch.Charge(ctx, b.call(id.Charge), redirect)
	assert.Equal(t, fault.KindInvalid, fault.Of(err), "%v", err)
}
