package user

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/fault"
	"paysaga/domain/ledger"
	"paysaga/domain/notice"
)

// Whatever is done in whatever order, a user who has ended stays so, and an act that was refused or came again changes nothing.
func TestActsGoByTheTable(t *testing.T) {
	t.Parallel()
	acts := []Act{Freeze, Unfreeze, Close, Erase}
	kinds := []ledger.PrincipalKind{ledger.ByMerchant, ledger.ByOperator}
	rapid.Check(t, func(t *rapid.T) {
		u := User{Status: Active, Reference: "c-1", Profile: Profile{Name: "Ada"}}
		for range rapid.IntRange(1, 12).Draw(t, "acts") {
			act := rapid.SampledFrom(acts).Draw(t, "act")
			before := u
			by := rapid.SampledFrom(kinds).Draw(t, "by")
			moved, err := u.Do(act, by)
			if moved && act == Freeze { // as the store reads it back
				u.Freezes = append(slices.Clone(before.Freezes), Hold{By: by})
			}
			if before.heldByPlatform() && by == ledger.ByMerchant {
				require.False(t, moved, "what an operator has frozen stays so")
			}
			if !moved {
				require.Equal(t, before, u)
			}
			if err != nil && !fault.Is(err, fault.KindDenied, "frozen_by_operator") {
				require.Equal(t, fault.KindConflict, fault.Of(err))
			}
			if before.Status == Closed {
				require.Contains(t, []Status{Closed, Erased}, u.Status)
			}
			if before.Status == Erased {
				require.Equal(t, Erased, u.Status)
			}
			require.Equal(t, u.Status == Erased, u.Profile.Name == "", "I-26")
			require.Equal(t, u.Status == Closed || u.Status == Erased, u.Open() != nil)
		}
	})
	_, err := (&User{Status: Active}).Do("promote", ledger.ByMerchant)
	require.Equal(t, fault.KindInternal, fault.Of(err))
}

func TestWhatIsSaidStaysUnlessItIsTakenBack(t *testing.T) {
	t.Parallel()
	none, mail, en := "", "ada@example.com", notice.English
	u := User{ID: "usr_1", Profile: Profile{Name: "Ada"}}
	require.NoError(t, Change{Email: &mail, Language: &en, Metadata: &map[string]string{"a": "b"}}.Apply(&u))
	require.Equal(t, Profile{Name: "Ada", Email: mail}, u.Profile)
	require.NoError(t, Change{Email: &none}.Apply(&u))
	require.Equal(t, Profile{Name: "Ada"}, u.Profile)
	require.Equal(t, en, u.Language)
	require.Equal(t, "b", u.Metadata["a"])
	require.Equal(t, Profile{Name: "Ada", Phone: "+861380013800"}, u.Profile.Over(map[string]string{"name": "Eve", "phone": "+861380013800"}))
	require.NoError(t, Change{Email: &none, Name: &none, Phone: &none, Country: &none, Reference: &none}.Check(time.LoadLocation))
	told := u.Told()
	require.Empty(t, told.Name)
	require.Empty(t, told.Reference)
}
