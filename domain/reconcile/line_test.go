package reconcile

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"paysaga/domain/fault"
)

func TestControlRefusesWhatDoesNotAddUp(t *testing.T) {
	t.Parallel()
	var c Control
	assert.Empty(t, c.Add(&Line{Currency: "CNY", Gross: 100, Fee: 1, Net: 99}))
	assert.Empty(t, c.Add(&Line{Currency: "CNY", Gross: -40, Net: -40}))
	assert.Empty(t, c.Add(&Line{Currency: "JPY", Gross: 7, Net: 7}))
	before := c.Totals["CNY"]
	assert.Equal(t, Total{Lines: 2, Gross: 60, Fee: 1, Net: 59}, before)
	assert.NotEmpty(t, c.Add(&Line{Currency: "CNY", Gross: 100, Fee: 1, Net: 100}))
	assert.NotEmpty(t, c.Add(&Line{Currency: "CNY", Gross: math.MaxInt64, Net: math.MaxInt64}), "the sum would wrap")
	assert.Equal(t, before, c.Totals["CNY"], "a refused line counts nowhere")
	assert.Equal(t, 3, c.Lines)
}

func TestABrokenFileNamesFileLineAndReason(t *testing.T) {
	t.Parallel()
	err := File{Name: "2026-11-20.csv"}.Broken(7, "a column is missing")
	assert.True(t, fault.Is(err, fault.KindInvalid, "statement_broken"))
	assert.Equal(t, "2026-11-20.csv, line 7: a column is missing", err.Message)
}

func TestADateIsADayInItsOwnZone(t *testing.T) {
	t.Parallel()
	east := time.FixedZone("CST", 8*3600)
	assert.Equal(t, "2026-11-21", On(time.Date(2026, 11, 20, 17, 0, 0, 0, time.UTC).In(east)).String())
	assert.Empty(t, Date{}.String())
}
