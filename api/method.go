package api

import (
	"net/netip"

	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

// checkMethod refuses a method that lacks what it needs, or has what belongs to another.
func checkMethod(m MethodRequest) error {
	switch {
	case m.Type == "":
		return required("type", "say how the customer pays")
	case m.Type != payment.MethodWallet && !m.Type.OverChannel():
		return fault.Invalid("method_unsupported", "type", "a method is qr, redirect, card_token, barcode, in_app, mini_program, bank_transfer or wallet")
	case !m.Type.Tokened() && m.Token != nil:
		return fault.Invalid("token_unexpected", "token", "only a card_token, a barcode or a mini_program has a token")
	case m.Type.Tokened() && m.Token == nil:
		return required("token", "a "+string(m.Type)+" needs its token")
	case m.Token != nil && !visible(*m.Token, maxCardToken):
		return fault.Invalid("token_invalid", "token", "a token is 1 to 255 visible ASCII characters")
	case m.Fingerprint != nil && m.Type != payment.MethodCardToken:
		return fault.Invalid("token_unexpected", "fingerprint", "only a card_token has a fingerprint")
	case m.Fingerprint != nil && !visible(*m.Fingerprint, maxCardToken):
		return fault.Invalid("token_invalid", "fingerprint", "a fingerprint is 1 to 255 visible ASCII characters")
	case m.Device != nil && m.Type != payment.MethodRedirect:
		return fault.Invalid("device_unexpected", "device", "only a redirect depends on the device")
	case m.Device != nil && *m.Device != payment.Desktop && *m.Device != payment.Mobile:
		return fault.Invalid("device_invalid", "device", "a device is desktop or mobile")
	}
	if m.CustomerIP != nil {
		if ip, err := netip.ParseAddr(*m.CustomerIP); err != nil || ip.Zone() != "" {
			return fault.Invalid("customer_ip_invalid", "customer_ip", "this is not an IPv4 or IPv6 address")
		}
	}
	return nil
}

// secrets is what of the request only the saga may see.
func (m MethodRequest) secrets(returnURL, description *string) payment.Secrets {
	return payment.Secrets{Token: value(m.Token), Fingerprint: value(m.Fingerprint), Device: value(m.Device), CustomerIP: value(m.CustomerIP),
		ReturnURL: value(returnURL), Description: value(description)}
}
