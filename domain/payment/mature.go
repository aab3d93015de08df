package payment

import (
	"paysaga/domain/fault"
	"paysaga/domain/id"
)

// MatureStep is the step in which a paid payment's money goes from pending to
// available, once: that of the attempt which took it.
func MatureStep(d Dossier) (id.Step, error) {
	for i := range d.Attempts {
		if d.Attempts[i].Verdict == Succeeded && d.Payment.Status == Paid {
			return id.Step{Code: id.Mature, Ordinal: d.Attempts[i].Ordinal}, nil
		}
	}
	return id.Step{}, fault.Conflict("nothing_to_mature", "the payment is "+string(d.Payment.Status)+", nothing of it is pending")
}
