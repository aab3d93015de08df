package delivery

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"time"

	"paysaga/domain/fault"
)

// Wait is a duration that reads and writes as "10m0s", so that a schedule can be kept as JSON.
type Wait time.Duration

// MarshalText writes the duration.
func (w Wait) MarshalText() ([]byte, error) { return []byte(time.Duration(w).String()), nil }

// UnmarshalText reads a duration.
func (w *Wait) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil {
		return fault.Invalid("schedule_invalid", "", "a wait is a duration such as 10m or 3h")
	}
	*w = Wait(d)
	return nil
}

// Schedule says how long to wait after each failed try. It is data: a delivery carries the schedule that it began
// with, so that a change holds for later ones only.
type Schedule struct {
	Name  string `json:"name"`
	Waits []Wait `json:"waits"`
	// JitterPercent is how much longer a wait may become, so that what failed together isn't tried again together.
	JitterPercent int64 `json:"jitter_percent,omitempty"`
}

const (
	// DefaultSchedule is the preset of an endpoint that names none.
	DefaultSchedule = "default"

	maxWaits = 50
	minWait  = time.Second
	maxWait  = 48 * time.Hour
	maxSpan  = 30 * 24 * time.Hour
)

// The presets. default is the one that Standard Webhooks suggests; the others are what these channels publish for their
// own notifications, for merchants whose receivers were built around them.
var presets = []Schedule{
	{Name: DefaultSchedule, JitterPercent: 10, Waits: waits(5*time.Second, 5*time.Minute, 30*time.Minute, 2*time.Hour, 5*time.Hour,
		10*time.Hour, 14*time.Hour, 20*time.Hour, 24*time.Hour)},
	{Name: "wechat", Waits: waits(15*time.Second, 15*time.Second, 30*time.Second, 3*time.Minute, 10*time.Minute, 20*time.Minute,
		30*time.Minute, 30*time.Minute, 30*time.Minute, time.Hour, 3*time.Hour, 3*time.Hour, 3*time.Hour, 6*time.Hour, 6*time.Hour)},
	{Name: "alipay", Waits: waits(4*time.Minute, 10*time.Minute, 10*time.Minute, time.Hour, 2*time.Hour, 6*time.Hour, 15*time.Hour)},
}

func waits(list ...time.Duration) []Wait {
	w := make([]Wait, len(list))
	for i, d := range list {
		w[i] = Wait(d)
	}
	return w
}

// Presets returns the names, the default first.
func Presets() []string {
	names := make([]string, len(presets))
	for i, s := range presets {
		names[i] = s.Name
	}
	return names
}

// Preset returns a schedule by name, the default one for "". Whoever gets it may change it.
func Preset(name string) (Schedule, error) {
	if name == "" {
		name = DefaultSchedule
	}
	for _, s := range presets {
		if s.Name == name {
			s.Waits = slices.Clone(s.Waits)
			return s, nil
		}
	}
	return Schedule{}, fault.Invalid("schedule_unknown", "schedule", "no such schedule")
}

// Check refuses a schedule that never ends, or hammers.
func (s Schedule) Check() error {
	if len(s.Waits) == 0 || len(s.Waits) > maxWaits {
		return fault.Invalid("schedule_invalid", "waits", "a schedule has 1 to 50 waits")
	}
	if s.JitterPercent < 0 || s.JitterPercent > 50 {
		return fault.Invalid("schedule_invalid", "jitter_percent", "the jitter is 0 to 50 percent")
	}
	for i, w := range s.Waits {
		if d := time.Duration(w); d < minWait || d > maxWait {
			return fault.Invalid("schedule_invalid", "waits["+strconv.Itoa(i)+"]", "a wait is 1 second to 48 hours")
		}
	}
	if s.Span() > maxSpan {
		return fault.Invalid("schedule_invalid", "waits", "a schedule ends within 30 days")
	}
	return nil
}

// Tries is how many tries there are in all, the first one included.
func (s Schedule) Tries() int { return len(s.Waits) + 1 }

// Span is the time from the first try to the last, without jitter.
func (s Schedule) Span() time.Duration {
	var total time.Duration
	for _, w := range s.Waits {
		total += time.Duration(w)
	}
	return total
}

// Next returns how long to wait after so many failed tries, 1 for the first, and false when none is left. It is a
// function of its arguments alone, so a replay waits as long as the run did. The seed spreads: the delivery's id is a
// good one. Whoever was asked for a Retry-After waits the longer of the two.
func (s Schedule) Next(failed int, seed string) (time.Duration, bool) {
	if failed < 1 || failed > len(s.Waits) {
		return 0, false
	}
	wait := time.Duration(s.Waits[failed-1])
	most := int64(wait) / 100 * s.JitterPercent
	if most <= 0 {
		return wait, true
	}
	sum := sha256.Sum256([]byte(seed + "#" + strconv.Itoa(failed)))
	return wait + time.Duration(binary.BigEndian.Uint64(sum[:8])%uint64(most+1)), true
}
