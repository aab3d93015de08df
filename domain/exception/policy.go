package exception

import (
	"encoding/json"
	"slices"
	"time"

	"paysaga/domain/fault"
)

// Policy says what becomes of a case without a person: at once, and at a
// deadline.
type Policy struct {
	Do    Decision      // Ask, or what is decided at once
	After time.Duration // the deadline, from the opening; 0: none
	Then  Decision      // what is decided then
}

// Policies are a merchant's, by kind. What isn't set is Default.
type Policies map[Kind]Policy

// Of is the policy for a kind.
func (p Policies) Of(k Kind) Policy {
	if own, ok := p[k]; ok {
		return own
	}
	return Default(k)
}

// Default is what happens where a merchant has set nothing: what was paid twice
// goes back, what came too late is taken if the order still wants it, and a
// person decides about the rest.
func Default(k Kind) Policy {
	switch k {
	case DuplicatePayment:
		return Policy{Do: Return}
	case LateSuccess:
		return Policy{Do: Fulfil}
	}
	return Policy{Do: Ask}
}

// choices are what policies may say, by kind: Do, and then Then. About the
// kinds that are missing only a person decides.
var choices = map[Kind]struct{ do, then []Decision }{
	PartialPayment:   {[]Decision{Ask, Accept, Wait, Return}, []Decision{Accept, Return}},
	AmountMismatch:   {[]Decision{Ask, Accept, Return}, []Decision{Accept, Return}},
	LateSuccess:      {[]Decision{Ask, Fulfil, Return}, []Decision{Fulfil, Return}},
	DuplicatePayment: {[]Decision{Ask, Return}, []Decision{Return}},
	RefundReturned:   {[]Decision{Ask}, []Decision{Accept}},
	PayoutReturned:   {[]Decision{Ask}, []Decision{Accept}},
}

// maxAfter bounds deadlines: no channel takes a refund for ever.
const maxAfter = 90 * 24 * time.Hour

// Check refuses a policy that can't be kept, as fault.Invalid "policy_invalid".
func (p Policy) Check(k Kind) error {
	can := choices[k]
	invalid := func(message string) error { return fault.Invalid("policy_invalid", string(k), message) }
	switch {
	case can.do == nil:
		return invalid("a person decides about a case of this kind")
	case !slices.Contains(can.do, p.Do):
		return invalid("the policy doesn't apply to a case of this kind")
	case p.After < 0 || p.After > maxAfter:
		return invalid("a deadline is within 90 days")
	case (p.After == 0) != (p.Then == ""):
		return invalid("a deadline needs what is decided then, and the other way round")
	case p.Then != "" && !slices.Contains(can.then, p.Then):
		return invalid("what is decided at the deadline doesn't apply to a case of this kind")
	case p.Do == Wait && (p.After == 0 || p.Then != Return):
		return invalid("who waits for the rest returns what came at a deadline")
	case p.Do != Wait && p.Do != Ask && p.After != 0:
		return invalid("what is decided at once has no deadline")
	}
	return nil
}

// MarshalJSON writes the deadline as people do: "72h0m0s".
func (p Policy) MarshalJSON() ([]byte, error) {
	w := written{Do: p.Do, Then: p.Then}
	if p.After != 0 {
		w.After = p.After.String()
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (p *Policy) UnmarshalJSON(b []byte) error {
	var w written
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	*p = Policy{Do: w.Do, Then: w.Then}
	if w.After == "" {
		return nil
	}
	var err error
	p.After, err = time.ParseDuration(w.After)
	return err
}

type written struct {
	Do    Decision `json:"do"`
	After string   `json:"after,omitempty"`
	Then  Decision `json:"then,omitempty"`
}

// waitsFor is how long an operator's wait lasts where no policy says so.
const waitsFor = 72 * time.Hour

// Waiting is the policy by which a partial payment is held from now on: the
// merchant's own, or three days and then back.
func (p Policy) Waiting() Policy {
	if p.Do == Wait {
		return p
	}
	return Policy{Do: Wait, After: waitsFor, Then: Return}
}
