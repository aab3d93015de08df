package payout

import (
	"strings"

	"paysaga/domain/fault"
	"paysaga/domain/giro"
)

// Type says what a destination is.
type Type string

// The types of destinations.
const (
	IBAN   Type = "iban"   // a bank account
	Card   Type = "card"   // by its number
	Wallet Type = "wallet" // at the channel, by the channel's own id
)

// Destination is where a payout goes. It is a personal datum: it stands sealed,
// and in no journal, event, history or log (I-26).
type Destination struct {
	Type    Type   `json:"type"`
	Account string `json:"account"`        // the IBAN, the card's number, the wallet's id
	Name    string `json:"name,omitempty"` // of the holder
}

// Masked is what of a destination may be shown.
type Masked struct {
	Type Type
	Last string // at most the last four characters
}

const (
	maxWallet = 128
	maxName   = 140 // as a SEPA transfer has room for
)

// Checked is d in its one spelling: without the spaces and hyphens that people
// write, and in capitals where they mean nothing. What can't be a destination is
// fault.Invalid, and names the field below "destination".
func (d Destination) Checked() (Destination, error) {
	var message string
	switch d.Type {
	case IBAN:
		d.Account = strings.ToUpper(strings.ReplaceAll(d.Account, " ", ""))
		if !giro.IsIBAN(d.Account) {
			message = "this is not an IBAN: its country, its length or its check digits are wrong"
		}
	case Card:
		d.Account = strings.NewReplacer(" ", "", "-", "").Replace(d.Account)
		if !isCard(d.Account) {
			message = "this is not a card's number: its length or its check digit is wrong"
		}
	case Wallet:
		if !isWallet(d.Account) {
			message = "a wallet's id is 1 to 128 of letters, digits and . _ @ + : -"
		}
	default:
		return d, fault.Invalid("destination_invalid", "destination.type", "a destination is an iban, a card or a wallet")
	}
	if message != "" {
		return d, fault.Invalid("destination_invalid", "destination.account", message)
	}
	if len([]rune(d.Name)) > maxName || strings.ContainsFunc(d.Name, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }) {
		return d, fault.Invalid("destination_invalid", "destination.name", "a holder's name is at most 140 characters, none of them a control character")
	}
	return d, nil
}

// Masked is what may be shown of it. Less than half is.
func (d Destination) Masked() Masked {
	n := min(4, len(d.Account)/3)
	return Masked{Type: d.Type, Last: d.Account[len(d.Account)-n:]}
}

// Token is what a channel's adapter reads: "<type>:<account>".
func (d Destination) Token() string { return string(d.Type) + ":" + d.Account }

// Reference stands for the destination of a payout in its frozen request: what
// it stands for is opened for the call alone.
func Reference(payoutID string) string { return "details:" + payoutID }

// isCard checks length and the check digit of ISO/IEC 7812 (Luhn).
func isCard(text string) bool {
	if len(text) < 12 || len(text) > 19 || !digits(text) || strings.Trim(text, "0") == "" {
		return false
	}
	sum := 0
	for i := range len(text) {
		n := int(text[len(text)-1-i] - '0')
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}

func isWallet(text string) bool {
	return text != "" && len(text) <= maxWallet && !strings.ContainsFunc(text, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("._@+:-", r))
	})
}

func digits(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
}
