package payment

// BankRail is the channel whose accounts are our own at a bank: what comes over it is our cash, what leaves has left our
// cash, and no channel settles either with us later.
const BankRail = "bank"

// MethodType is how the customer pays.
type MethodType string

// The payment methods of the API.
const (
	MethodQR           MethodType = "qr"            // the customer scans what we show
	MethodRedirect     MethodType = "redirect"      // the customer is sent to the channel's page
	MethodCardToken    MethodType = "card_token"    // a card the channel already knows by a token
	MethodBarcode      MethodType = "barcode"       // the merchant scans what the customer's app shows; Token is that code
	MethodInApp        MethodType = "in_app"        // the merchant's app hands the action to the channel's SDK
	MethodMiniProgram  MethodType = "mini_program"  // inside the channel's own app; Token is the payer's id there
	MethodBankTransfer MethodType = "bank_transfer" // the customer sends money to our account, under our reference
	MethodWallet       MethodType = "wallet"        // out of their wallet alone; no channel takes it
)

// OverChannel says whether t is one that a channel may take.
func (t MethodType) OverChannel() bool {
	switch t {
	case MethodQR, MethodRedirect, MethodCardToken, MethodBarcode, MethodInApp, MethodMiniProgram, MethodBankTransfer:
		return true
	}
	return false
}

// Tokened says whether t needs a token.
func (t MethodType) Tokened() bool {
	return t == MethodCardToken || t == MethodBarcode || t == MethodMiniProgram
}

// Device is what the customer holds in their hands.
type Device string

// The devices of the API. A channel that has a page for each takes the desktop's
// when none is named.
const (
	Desktop Device = "desktop"
	Mobile  Device = "mobile"
)

// Method is the chosen way to pay. Token is a secret, and CustomerIP a personal
// datum: both are frozen only in the sealed request of an attempt.
type Method struct {
	Type       MethodType `json:"type"`
	Token      string     `json:"token,omitempty"`
	Device     Device     `json:"device,omitempty"`
	CustomerIP string     `json:"customer_ip,omitempty"` // some channels want it of a redirect
}
