package api

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

func TestAMethodHasWhatItNeedsAndNoMore(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	device := func(d payment.Device) *payment.Device { return &d }
	for name, c := range map[string]struct {
		m     MethodRequest
		param string // empty: taken
	}{
		"nothing":                    {MethodRequest{}, "type"},
		"what nobody takes":          {MethodRequest{Type: "cash"}, "type"},
		"qr":                         {MethodRequest{Type: payment.MethodQR}, ""},
		"qr with a token":            {MethodRequest{Type: payment.MethodQR, Token: text("t")}, "token"},
		"a barcode without its code": {MethodRequest{Type: payment.MethodBarcode}, "token"},
		"a barcode":                  {MethodRequest{Type: payment.MethodBarcode, Token: text("134567890123456789")}, ""},
		"a mini program's payer":     {MethodRequest{Type: payment.MethodMiniProgram, Token: text("o-1")}, ""},
		"a fingerprint of no card":   {MethodRequest{Type: payment.MethodBarcode, Token: text("1"), Fingerprint: text("f")}, "fingerprint"},
		"a mobile redirect":          {MethodRequest{Type: payment.MethodRedirect, Device: device(payment.Mobile), CustomerIP: text("2001:db8::1")}, ""},
		"a watch":                    {MethodRequest{Type: payment.MethodRedirect, Device: device("watch")}, "device"},
		"a device of a QR code":      {MethodRequest{Type: payment.MethodQR, Device: device(payment.Mobile)}, "device"},
		"an address that is none":    {MethodRequest{Type: payment.MethodQR, CustomerIP: text("10.0.0.256")}, "customer_ip"},
		"an address with a zone":     {MethodRequest{Type: payment.MethodQR, CustomerIP: text("fe80::1%eth0")}, "customer_ip"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := checkMethod(c.m)
			if c.param == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, fault.KindInvalid, fault.Of(err))
			assert.Equal(t, c.param, fault.As(err).Param)
		})
	}
}
