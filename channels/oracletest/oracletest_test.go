package oracletest_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"

	"paysaga/channels/oracletest"
)

type question struct {
	Say string `json:"say"`
}

type answer struct {
	Said string `json:"said"`
}

// Several tests ask at once, a thousand things each: one installs, and every question has its own answer.
func TestQuestionsAreAnsweredInOrder(t *testing.T) {
	t.Parallel()
	for range 2 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			o, ok := oracletest.Open(t, "testdata/echo")
			if !ok {
				return
			}
			asked := make([]question, 1000)
			for i := range asked {
				asked[i].Say = strconv.Itoa(i) + " 订单 é \u2028 😀"
			}
			for i, a := range oracletest.Run[question, answer](t, o, "echo.mjs", asked) {
				assert.Equal(t, asked[i].Say, a.Said)
			}
		})
	}
}

func TestWithoutNodeNothingIsJudged(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv(oracletest.Required, "")
	_, ok := oracletest.Open(t, "testdata/echo")
	assert.False(t, ok)
}
