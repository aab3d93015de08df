package access

import "paysaga/domain/id"

// Vouch is how the API tells a saga that it has authenticated who decides. It
// travels sealed, so that nobody who can write into a saga can make one.
type Vouch struct {
	Book       id.Book `json:"book"`
	BusinessID string  `json:"business_id"`
	Decision   string  `json:"decision"`
	Actor      string  `json:"actor"`
	Reason     string  `json:"reason"`
}

// VouchPrefix begins a sealed Vouch where a code is expected.
const VouchPrefix = "api."
