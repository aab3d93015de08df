package payment

// MethodType is how the customer pays.
type MethodType string

// The payment methods of the API.
const (
	MethodQR        MethodType = "qr"         // the customer scans what we show
	MethodRedirect  MethodType = "redirect"   // the customer is sent to the channel's page
	MethodCardToken MethodType = "card_token" // a card the channel already knows by a token
	MethodWallet    MethodType = "wallet"     // out of their wallet alone; no channel takes it
)

// Method is the chosen way to pay. Token is a secret: it is frozen only in the
// sealed request of an attempt.
type Method struct {
	Type  MethodType `json:"type"`
	Token string     `json:"token,omitempty"`
}
