package rule

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
)

func testEnv(t testing.TB) *Env {
	t.Helper()
	e, err := NewEnv(Strings("card", "a fingerprint"))
	require.NoError(t, err)
	return e
}

var long = strings.Repeat

// Sources that must be refused when they are saved.
var refused = map[string]string{
	"not bool": `amount`, "text": `"x"`, "a number": `1`, "null": `null`, "a list": `[true]`, "a map": `{"a": true}`,
	"a type": `bool`, "a choice of types": `amount > 1 ? true : 1`, "a timestamp": `created_at`, "a duration": `customer_age`,
	"unknown name": `amuont > 1`, "another's name": `payment_id == ""`, "unknown function": `sleep(1)`, "a method": `currency.explode()`,
	"int with text": `amount == "1"`, "text with int": `currency == 1`, "bool with int": `amount == true`,
	"a fraction": `amount > 1.5`, "an exponent": `amount > 1e3`, "a conversion to double": `double(amount) > 1`,
	"not a key's type": `metadata[1] == "x"`, "an index of text": `currency[0] == "C"`, "int + text": `amount + currency == ""`,
	"unsigned with signed": `amount > 1u`, "a value beyond int64": `amount > 9223372036854775808`,
	"all": `metadata.all(k, true)`, "exists": `metadata.exists(k, k == "a")`, "exists_one": `["a"].exists_one(x, x == "a")`,
	"map": `["a"].map(x, x) == []`, "filter": `["a"].filter(x, true) == []`,
	"nested loops":         `[1,2,3].all(a, [1,2,3].all(b, [1,2,3].all(c, a+b+c > 0)))`,
	"a regular expression": `currency.matches("(a+)+$")`, "one as a function": `matches(currency, "x")`,
	"an endless one": `order_type.matches("(((((a{30}){30}){30}){30}){30})")`,
	"dyn":            `dyn(amount) == "x"`, "type of": `type(amount) == int`, "a zone of a file": `created_at.getHours("../../etc/passwd") > 1`,
	"a clock": `now() > created_at`, "random": `random() > 1`, "a message": `google.protobuf.Timestamp{seconds: 1} == created_at`,
	"an unknown message": `Foo{a: 1} == null`, "an environment": `os.Getenv("HOME") == ""`, "a field of text": `currency.length > 1`,
	"empty brackets": `()`, "open bracket": `(((`, "closing": `amount > 1)`, "half": `amount >`, "two expressions": `true; true`,
	"an assignment": `amount = 1`, "a comment only": `// true`, "SQL": `' OR 1=1; DROP TABLE payments; --`, "a template": `{{.Secret}}`,
	"a NUL": "amount > 1\x00", "bad UTF-8": "currency == \"\xff\xfe\" \xff", "an open string": `currency == "abc`, "a bad escape": `currency == "\q"`,
	"a lone surrogate": `currency == "\ud800"`, "look-alikes": `аmount > 1`, "a zero-width space": "amount\u200b > 1",
	"too long": `currency == "` + long("x", MaxSource) + `"`, "endless": long("true && ", 100_000) + "true", "a megabyte": long("!", 1<<20),
	"deep brackets": long("(", 500) + "true" + long(")", 500), "deep lists": long("[", 400) + long("]", 400) + " == []",
	"deep calls": long("size([", 90) + long("])", 90) + " > 0", "deep choices": long("true ? (", 200) + "true" + long(") : false", 200),
	"a long sum": "amount > 0" + long("+1", 200), "wide": "amount in [0" + long(",1", 900) + "]",
	"deep maps": long(`{"a":`, 200) + `1` + long("}", 200) + " == {}", "deep fields": "metadata" + long(".a", 300) + ` == ""`,
	"deep indexes": "metadata" + long(`["a"]`, 300) + ` == ""`, "an optional": `metadata[?"a"].hasValue()`, "has of a call": `has(size(currency))`,
	"a bad timestamp": `created_at > timestamp("yesterday")`, "a bad duration": `customer_age > duration("soon")`,
	"reserved": `for == 1`, "a macro alone": `has()`, "bind": `cel.bind(x, true, x)`, "blocks": `cel.@block([1], true)`,
	"an inner name": `__result__ == 1`, "an inner function": `@not_strictly_false(true)`, "a bytes bomb": `bytes(currency) == b"x"`,
}

func TestHostileSourcesAreRefused(t *testing.T) {
	t.Parallel()
	require.GreaterOrEqual(t, len(refused), 70)
	e := testEnv(t)
	placed := regexp.MustCompile(`^\d+:\d+: `)
	without := 0
	for name, source := range refused {
		_, err := e.Compile("rules[3].when", source)
		require.True(t, fault.Is(err, fault.KindInvalid, "rule_invalid"), "%s: %v", name, err)
		require.Equal(t, "rules[3].when", fault.As(err).Param, name)
		require.Less(t, len(fault.As(err).Message), 1000, "%s: a refusal is short", name)
		if !placed.MatchString(fault.As(err).Message) {
			without++
			require.Regexp(t, "longer|deeper|parts|always fails|read", fault.As(err).Message, name)
		}
	}
	require.Less(t, without, 15, "almost all refusals name the line and column")
	_, err := e.Compile("rules[0].when", "amount > 1 &&\n  amuont < 5")
	require.Contains(t, fault.As(err).Message, "2:3: ")
	require.Contains(t, fault.As(err).Message, "amuont")
}

// What compiles stays within its cost on the largest payment we take, or fails.
func TestNothingThatCompilesRunsLong(t *testing.T) {
	t.Parallel()
	e := testEnv(t)
	meta := map[string]string{}
	for i := range 50 {
		meta["k"+string(rune('0'+i%10))+string(rune('a'+i/10))] = long("x", 500)
	}
	f := Facts{Metadata: meta, OrderRef: long("o", 500), CustomerRef: long("c", 500)}
	part := `(order_reference + customer_reference).contains(customer_reference + order_reference)`
	c, err := e.Compile("when", part+long(" || "+part, 20))
	require.NoError(t, err)
	holds, failed := c.Holds(NewView(f, nil))
	require.False(t, holds)
	require.Equal(t, CostLimit, failed)
}

func FuzzCompile(f *testing.F) {
	for _, source := range refused {
		if len(source) < 300 {
			f.Add(source)
		}
	}
	f.Add(`amount > 100 && currency in ["CNY", "USD"]`)
	e := testEnv(f)
	f.Fuzz(func(t *testing.T, source string) {
		c, err := e.Compile("when", source)
		if err != nil {
			require.Equal(t, fault.KindInvalid, fault.Of(err))
			return
		}
		view := NewView(Facts{AmountMinor: 1, Currency: "CNY"}, nil)
		holds, failed := c.Holds(view)
		again, failedAgain := c.Holds(view)
		require.Equal(t, holds, again)
		require.Equal(t, failed, failedAgain)
		require.False(t, holds && failed != "", "a failure is never true")
	})
}
