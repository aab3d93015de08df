package ledger

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/id"
	"paysaga/domain/money"
)

// What stands in the book was hashed over encoding/json's text of these structs: whatever a Step holds, its content is that text.
func TestContentIsWhatJSONWrites(t *testing.T) {
	t.Parallel()
	type leg struct {
		Code, Currency string
		Amount         int64
	}
	type post struct {
		Cause, Kind, Reverses string
		Legs                  []leg
	}
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z0-9_:/]{0,40}`), rapid.SampledFrom([]string{"", "<a&b>", "\"\\", "\u2028", "\xff", "\x7f", "a\x00b"}))
	rapid.Check(t, func(t *rapid.T) {
		step := Step{Book: id.Book(text.Draw(t, "book")), Cause: text.Draw(t, "cause")}
		want := struct {
			Book     id.Book
			Cause    string
			Changes  []any
			Journals []post
		}{Book: step.Book, Cause: step.Cause}
		for range rapid.IntRange(0, 3).Draw(t, "changes") {
			c := said{rapid.OneOf(rapid.Just[any](nil), rapid.Map(text, func(s string) any { return map[string]string{s: s} })).Draw(t, "change")}
			step.Changes, want.Changes = append(step.Changes, c), append(want.Changes, c.Content())
		}
		for range rapid.IntRange(0, 3).Draw(t, "journals") {
			j := Journal{cause: text.Draw(t, "cause"), kind: text.Draw(t, "kind"), reverses: text.Draw(t, "reverses")}
			p := post{Cause: j.cause, Kind: j.kind, Reverses: j.reverses}
			for range rapid.IntRange(0, 4).Draw(t, "legs") {
				l := leg{text.Draw(t, "code"), text.Draw(t, "currency"), rapid.Int64().Draw(t, "amount")}
				j.entries = append(j.entries, Entry{Account: Account{Code: l.Code, Currency: money.Currency(l.Currency)}, Amount: l.Amount})
				p.Legs = append(p.Legs, l)
			}
			step.Journals, want.Journals = append(step.Journals, j), append(want.Journals, p)
		}
		b, err := json.Marshal(want)
		require.NoError(t, err)
		require.Equal(t, string(b), string(step.content(nil)))
	})
}
