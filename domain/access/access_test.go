package access

import (
	"crypto/ed25519"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/fault"
)

var (
	now     = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	private = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	ada     = Operator{ID: "opr_ada", Name: "Ada", PublicKey: private.Public().(ed25519.PublicKey)}
	decided = Decision{Operator: "opr_ada", BusinessID: "pay_1", Decision: "accept", Reason: "seen in the back office", SignedAt: now}
)

func sign(t require.TestingT, d Decision, key ed25519.PrivateKey) string {
	code, err := d.Sign(key)
	require.NoError(t, err)
	return code
}

func TestASignedDecisionHolds(t *testing.T) {
	t.Parallel()
	code := sign(t, decided, private)
	read, err := ReadDecision(code)
	require.NoError(t, err)
	require.Equal(t, decided, read)
	for _, age := range []time.Duration{0, time.Second, DecisionLife, -time.Minute} {
		require.NoError(t, ada.Verify(code, decided, now.Add(age)), age)
	}
	want := decided
	want.Operator, want.SignedAt = "", time.Time{} // who and when are the code's to say
	require.NoError(t, ada.Verify(code, want, now))
	require.Equal(t, code, sign(t, decided, private), "Ed25519 has no chance in it")
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	other := ed25519.NewKeyFromSeed([]byte(strings.Repeat("x", ed25519.SeedSize)))
	but := func(f func(*Decision)) Decision { d := decided; f(&d); return d }
	code := sign(t, decided, private)
	text, sig, _ := strings.Cut(code, ".")
	_, otherSig, _ := strings.Cut(sign(t, but(func(d *Decision) { d.Decision = "reject" }), private), ".")
	for name, c := range map[string]struct {
		operator Operator
		code     string
		want     Decision
		at       time.Time
		kind     fault.Kind
		fault    string
	}{
		"another payment":       {ada, code, but(func(d *Decision) { d.BusinessID = "pay_2" }), now, fault.KindDenied, "code_for_another_decision"},
		"another decision":      {ada, code, but(func(d *Decision) { d.Decision = "reject" }), now, fault.KindDenied, "code_for_another_decision"},
		"another reason":        {ada, code, but(func(d *Decision) { d.Reason = "" }), now, fault.KindDenied, "code_for_another_decision"},
		"too old":               {ada, code, decided, now.Add(DecisionLife + 1), fault.KindDenied, "code_expired"},
		"from the future":       {ada, code, decided, now.Add(-time.Minute - 1), fault.KindDenied, "code_expired"},
		"of no time":            {ada, sign(t, but(func(d *Decision) { d.SignedAt = time.Time{} }), private), decided, now, fault.KindDenied, "code_expired"},
		"of the end of time":    {ada, sign(t, but(func(d *Decision) { d.SignedAt = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }), private), decided, now, fault.KindDenied, "code_expired"},
		"another key":           {ada, sign(t, decided, other), decided, now, fault.KindDenied, "signature_invalid"},
		"in another's name":     {ada, sign(t, but(func(d *Decision) { d.Operator = "opr_bob" }), private), decided, now, fault.KindDenied, "signature_invalid"},
		"in nobody's name":      {ada, sign(t, but(func(d *Decision) { d.Operator = "" }), private), decided, now, fault.KindDenied, "signature_invalid"},
		"revoked":               {Operator{ID: ada.ID, PublicKey: ada.PublicKey, Revoked: true}, code, decided, now, fault.KindDenied, "signature_invalid"},
		"an operator sans key":  {Operator{ID: ada.ID}, code, decided, now, fault.KindDenied, "signature_invalid"},
		"half a public key":     {Operator{ID: ada.ID, PublicKey: ada.PublicKey[:16]}, code, decided, now, fault.KindDenied, "signature_invalid"},
		"another's signature":   {ada, text + "." + otherSig, decided, now, fault.KindDenied, "signature_invalid"},
		"nothing":               {ada, "", decided, now, fault.KindInvalid, "code_invalid"},
		"no signature":          {ada, text, decided, now, fault.KindInvalid, "code_invalid"},
		"an empty signature":    {ada, text + ".", decided, now, fault.KindInvalid, "code_invalid"},
		"two signatures":        {ada, code + "." + sig, decided, now, fault.KindInvalid, "code_invalid"},
		"padding":               {ada, code + "==", decided, now, fault.KindInvalid, "code_invalid"},
		"a line break":          {ada, text + "." + sig[:10] + "\n" + sig[10:], decided, now, fault.KindInvalid, "code_invalid"},
		"a line break in front": {ada, "\r\n" + code, decided, now, fault.KindInvalid, "code_invalid"},
		"a space":               {ada, " " + code, decided, now, fault.KindInvalid, "code_invalid"},
		"no JSON":               {ada, encoding.EncodeToString([]byte("{")) + "." + sig, decided, now, fault.KindInvalid, "code_invalid"},
		"JSON of something":     {ada, encoding.EncodeToString([]byte("[]")) + "." + sig, decided, now, fault.KindInvalid, "code_invalid"},
		"a novel":               {ada, strings.Repeat("A", maxCode) + "." + sig, decided, now, fault.KindInvalid, "code_invalid"},
	} {
		err := c.operator.Verify(c.code, c.want, c.at)
		require.True(t, fault.Is(err, c.kind, c.fault), "%s: %v", name, err)
		require.NotContains(t, err.Error(), "back office", "a refusal quotes nothing")
	}
}

// No other code than the signed one verifies: not by a bit, not by a character
// more or less, not by another spelling of the same bytes.
func TestEveryTamperIsRefused(t *testing.T) {
	t.Parallel()
	code := sign(t, decided, private)
	for i := range code {
		for _, c := range "Aa05-_.=\n" + string(rune(code[i]^1)) {
			if byte(c) != code[i] {
				require.Error(t, ada.Verify(code[:i]+string(c)+code[i+1:], decided, now), "%q at %d", c, i)
			}
		}
		require.Error(t, ada.Verify(code[:i], decided, now))
		require.Error(t, ada.Verify(code[:i]+"A"+code[i:], decided, now))
	}
	rapid.Check(t, func(t *rapid.T) {
		b := []byte(code)
		for range rapid.IntRange(1, 5).Draw(t, "changes") {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "to")
		}
		if string(b) != code {
			require.Error(t, ada.Verify(string(b), decided, now))
		}
	})
}

// What an attacker can sign with a key of their own never passes for another's.
func TestAnyDecisionRoundTrips(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := Decision{Operator: "opr_ada", BusinessID: rapid.StringN(0, 60, 60).Draw(t, "id"), Decision: rapid.StringN(0, 60, 60).Draw(t, "decision"),
			Reason: rapid.StringN(0, 200, 400).Draw(t, "reason"), SignedAt: now}
		code := sign(t, d, private)
		require.NoError(t, ada.Verify(code, d, now))
		wrong := d
		wrong.Reason += "x"
		require.Error(t, ada.Verify(code, wrong, now))
	})
}

func TestSignNeedsAKey(t *testing.T) {
	t.Parallel()
	for _, key := range []ed25519.PrivateKey{nil, private[:32]} {
		_, err := decided.Sign(key)
		require.True(t, fault.Is(err, fault.KindInvalid, "key_invalid"))
	}
	impossible := decided
	impossible.SignedAt = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	_, err := impossible.Sign(private)
	require.Error(t, err)
	text, err := json.Marshal(decided)
	require.NoError(t, err)
	require.JSONEq(t, `{"operator":"opr_ada","business_id":"pay_1","decision":"accept","reason":"seen in the back office","signed_at":"2026-11-21T12:00:00Z"}`, string(text))
}

// Nobody gets by default what moves money for others.
func TestScopes(t *testing.T) {
	t.Parallel()
	merchant, operator := Principal{Scopes: MerchantScopes}, Principal{Scopes: OperatorScopes}
	for _, c := range []struct {
		scope              Scope
		merchant, operator bool
	}{
		{PaymentsRead, true, true}, {PaymentsWrite, true, false}, {OrdersRead, true, true}, {OrdersWrite, true, false},
		{LedgerRead, true, true}, {CasesRead, true, true}, {CasesWrite, true, true}, {CasesResolve, false, true}, {"", false, false}, {"payments", false, false}, {"payments:READ", false, false},
	} {
		require.Equal(t, c.merchant, merchant.May(c.scope), c.scope)
		require.Equal(t, c.operator, operator.May(c.scope), c.scope)
		require.False(t, Principal{}.May(c.scope))
	}
}
