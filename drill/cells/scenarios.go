package cells

import "slices"

// Scenarios are all of them.
func Scenarios() []Scenario {
	return slices.Concat(Payments(), Captures(), Refunds(), Payouts(), Parts(), Wallets(), Cases())
}

// Find is a scenario by its name; the zero one if there is none.
func Find(name string) Scenario {
	for _, s := range Scenarios() {
		if s.Name == name {
			return s
		}
	}
	return Scenario{}
}
