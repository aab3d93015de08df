package access

import (
	"slices"
	"strings"

	"paysaga/domain/fault"
	"paysaga/domain/ledger"
)

// Usual are the scopes that a key of such a principal gets unless told otherwise, as of this build: keys made before a scope came lack it
// until somebody grants it.
func Usual(kind ledger.PrincipalKind) []Scope {
	if kind == ledger.ByOperator {
		return OperatorScopes
	}
	return MerchantScopes
}

// Grantable are all the scopes that a key of such a principal can have.
func Grantable(kind ledger.PrincipalKind) []Scope {
	if kind == ledger.ByOperator {
		return OperatorScopes
	}
	return append(slices.Clip(MerchantScopes), RiskWrite)
}

// Missing are the usual scopes that aren't among those.
func Missing(kind ledger.PrincipalKind, scopes []Scope) []Scope {
	return slices.DeleteFunc(slices.Clone(Usual(kind)), func(s Scope) bool { return slices.Contains(scopes, s) })
}

// CheckScopes refuses scopes that such a principal can't have, and a key without any, as fault.Invalid.
func CheckScopes(kind ledger.PrincipalKind, scopes []Scope) error {
	can := Grantable(kind)
	for _, s := range scopes {
		if !slices.Contains(can, s) {
			names := make([]string, len(can))
			for i, one := range can {
				names[i] = string(one)
			}
			slices.Sort(names)
			return fault.Invalid("scope_unknown", "scopes", "such a key can have "+strings.Join(names, ", "))
		}
	}
	if len(scopes) == 0 {
		return fault.Invalid("scopes_missing", "scopes", "a key without any scope is for nothing: revoke it instead")
	}
	return nil
}
