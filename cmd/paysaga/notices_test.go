package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPreviewShowsWhatPeopleAreTold(t *testing.T) {
	t.Parallel()
	code, out, _ := paysaga(t, nil, "notify", "preview")
	require.Zero(t, code)
	require.Contains(t, out, "refund.succeeded: subject refunds, by default [mail sms push]\n  en  Your refund is done\n")
	require.Contains(t, out, "  zh  订单 A-1001 付款成功\n")
	code, out, _ = paysaga(t, nil, "notify", "preview", "order.paid", "--language", "zh")
	require.Zero(t, code)
	require.NotContains(t, out, "  en  ")
	code, _, said := paysaga(t, nil, "notify", "preview", "payment.created")
	require.NotZero(t, code)
	require.Contains(t, said, "payment.created is no type of events")
}

// I-26: what a setting holds isn't quoted by what is wrong with it.
func TestCarriersAreChecked(t *testing.T) {
	t.Parallel()
	for _, bad := range [][]string{
		{"PAYSAGA_MAIL_URL", "http://shop:hunter2@mail.example"}, {"PAYSAGA_MAIL_URL", "smtp://shop:hunter2@mail.example"},
		{"PAYSAGA_MAIL_URL", "smtp://shop:hunter2@:587", "PAYSAGA_MAIL_FROM", "pay@shop.example"},
		{"PAYSAGA_SMS_URL", "http://hunter2.example/"}, {"PAYSAGA_PUSH_URL", "hunter2"},
	} {
		code, _, said := paysaga(t, good(bad...), "worker")
		require.NotZero(t, code, bad)
		require.Contains(t, said, bad[0])
		require.NotContains(t, said, "hunter2")
	}
}
