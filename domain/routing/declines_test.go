package routing

import (
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/domain/payment"
)

func TestDeclinesAreExplained(t *testing.T) {
	t.Parallel()
	for _, channel := range []string{"alipay", "sandbox", "stripe", "wechatpay"} {
		require.NotEmpty(t, Declines(channel))
		for code, d := range Declines(channel) {
			require.Contains(t, []Class{Soft, Hard, AskCustomer}, d.Class, code)
			require.True(t, d.Code == "declined" || d.Advice != payment.Advice("declined", "soft") || d.Code == "do_not_honor", "%s %s has advice of its own", channel, d.Code)
			hard := Explain(channel, payment.Decline{Code: d.Code, Channel: code, Hard: true})
			require.Equal(t, Hard, hard.Class, "what the adapter calls hard stays hard")
			if d.Class != Hard {
				require.NotContains(t, hard.Advice, "try later")
			}
		}
	}
	require.Nil(t, Declines("nobody"))
}

func TestUnknownDeclinesAreSoft(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		channel string
		in      payment.Decline
		want    Class
		code    string
	}{
		{"stripe", payment.Decline{Code: "declined", Channel: "brand_new"}, Soft, "declined"},
		{"stripe", payment.Decline{Code: "declined", Channel: "brand_new", Hard: true}, Hard, "declined"},
		{"stripe", payment.Decline{Channel: "insufficient_funds"}, Soft, "insufficient_funds"},
		{"stripe", payment.Decline{Channel: "insufficient_funds", Hard: true}, Hard, "insufficient_funds"},
		{"stripe", payment.Decline{Channel: "stolen_card"}, Hard, "stolen_card"},
		{"stripe", payment.Decline{Channel: "incorrect_cvc"}, AskCustomer, "incorrect_cvc"},
		{"nobody", payment.Decline{Code: "its_own", Channel: "x"}, Soft, "its_own"},
		{"", payment.Decline{}, Soft, "declined"},
	} {
		d := Explain(c.channel, c.in)
		require.Equal(t, c.want, d.Class, "%+v", c)
		require.Equal(t, c.code, d.Code, "%+v", c)
		require.NotEmpty(t, d.Advice)
	}
}
