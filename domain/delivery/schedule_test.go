package delivery

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/fault"
)

func TestThePresets(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		tries int
		span  time.Duration
	}{
		"default": {10, 75*time.Hour + 35*time.Minute + 5*time.Second},
		"wechat":  {16, 24*time.Hour + 4*time.Minute},
		"alipay":  {8, 24*time.Hour + 24*time.Minute},
	} {
		s, err := Preset(name)
		require.NoError(t, err)
		require.NoError(t, s.Check())
		assert.Equal(t, want.tries, s.Tries(), name)
		assert.Equal(t, want.span, s.Span(), name)
		text, err := json.Marshal(s)
		require.NoError(t, err)
		var back Schedule
		require.NoError(t, json.Unmarshal(text, &back))
		assert.Equal(t, s, back, "a schedule is data")
		s.Waits[0] = 0
		again, _ := Preset(name)
		assert.NotZero(t, again.Waits[0], "a preset isn't shared")
	}
	assert.Equal(t, []string{"default", "wechat", "alipay"}, Presets())
	s, err := Preset("")
	require.NoError(t, err)
	assert.Equal(t, DefaultSchedule, s.Name)
	_, err = Preset("hourly")
	require.True(t, fault.Is(err, fault.KindInvalid, "schedule_unknown"))
}

func TestAScheduleThatIsNone(t *testing.T) {
	t.Parallel()
	for param, s := range map[string]Schedule{
		"waits":          {},
		"waits[0]":       {Waits: waits(time.Millisecond)},
		"waits[1]":       {Waits: waits(time.Hour, 49*time.Hour)},
		"jitter_percent": {Waits: waits(time.Hour), JitterPercent: 51},
	} {
		err := s.Check()
		require.Error(t, err, param)
		assert.Equal(t, param, fault.As(err).Param)
	}
	long := Schedule{Waits: make([]Wait, 16)}
	for i := range long.Waits {
		long.Waits[i] = Wait(48 * time.Hour)
	}
	assert.True(t, fault.Is(long.Check(), fault.KindInvalid, "schedule_invalid"))
	var s Schedule
	require.Error(t, json.Unmarshal([]byte(`{"waits":["soon"]}`), &s))
}

func TestNextIsAFunctionOfItsArguments(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		name, seed := rapid.SampledFrom(Presets()).Draw(rt, "preset"), rapid.String().Draw(rt, "seed")
		failed := rapid.IntRange(-3, 60).Draw(rt, "failed")
		s, err := Preset(name)
		if err != nil {
			rt.Fatal(err)
		}
		wait, again := s.Next(failed, seed)
		if w2, a2 := s.Next(failed, seed); w2 != wait || a2 != again {
			rt.Fatalf("%v %v, then %v %v", wait, again, w2, a2)
		}
		if again != (failed >= 1 && failed < s.Tries()) {
			rt.Fatalf("try %d of %d: %v", failed, s.Tries(), again)
		}
		if !again {
			return
		}
		plain := time.Duration(s.Waits[failed-1])
		if wait < plain || wait > plain+plain/100*time.Duration(s.JitterPercent) {
			rt.Fatalf("%v is not within %v and its jitter", wait, plain)
		}
	})
}

func TestJitterSpreads(t *testing.T) {
	t.Parallel()
	s, err := Preset("default")
	require.NoError(t, err)
	seen := map[time.Duration]bool{}
	for i := range 100 {
		wait, _ := s.Next(9, string(rune('a'+i)))
		seen[wait] = true
	}
	assert.Greater(t, len(seen), 95)
}
