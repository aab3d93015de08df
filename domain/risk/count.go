package risk

import "paysaga/domain/fault"

// Count is the change by which a Step moves the counters of a payment. Under
// their locks it is decided once more, so that two at once can't both pass a
// bound that has room for one.
type Count struct {
	Screening Screening
	// Decision is what the Step was made for. If the counters say another one by
	// now, the Step is refused as Conflict "verdict_moved", and decided anew.
	Decision string
	// Passed: the payment was let through before, blind. It counts, whatever is
	// decided now.
	Passed bool
}

// Content implements ledger.Change.
func (c Count) Content() any { return []any{"count", c.Decision, c.Screening.Counters} }

// Judge returns what the counters stand at with the payment in them, given what
// they stand at now.
func (c Count) Judge(now map[string]Value) (map[string]Value, error) {
	verdict, after := c.Screening.Decide(now)
	if !c.Passed {
		if verdict.Decision != c.Decision {
			return nil, fault.Conflict("verdict_moved", "others have counted meanwhile: the verdict is "+verdict.Decision+" now")
		}
		return after, nil
	}
	after = make(map[string]Value, len(c.Screening.Counters))
	for _, counter := range c.Screening.Counters {
		after[counter.Key] = counter.After(now[counter.Key])
	}
	return after, nil
}
