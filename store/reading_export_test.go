package store

import "strings"

// ReadingQuery is a query for tests: with its parameters by position and with examples, where {account}, {number}, {cause} and {at} stand
// for what the test asks about.
type ReadingQuery struct {
	SQL     string
	Example []string
}

// ReadingQueries are the queries of which no page count may grow with the book.
var ReadingQueries = map[string]ReadingQuery{
	"balance": positional(sqlBalance, "account bigint {account}", "upto bigint {number}"),
	"effective": positional(sqlEffective, "account bigint {account}", "upto bigint {number}", "at timestamptz '{at}'",
		"minute bigint {number}::bigint + (60000::bigint << 20)", "oldest timestamptz timestamptz '{at}' - interval '367 days'",
		"newest timestamptz timestamptz '{at}' + interval '6 minutes'", "final bigint {number}::bigint + (86400000::bigint << 20)"),
	"page":     positional(sqlPage, "account bigint {account}", "begin bigint {number}", "upto bigint 9223372036854775807", "limit bigint 101"),
	"accounts": positional(sqlAccounts, "book book 'test'", "low text 'channel/'", "high text 'channel0'", "code text 'channel/c10/clearing'", "last text 'CNY'", "currency text ''", "limit bigint 21"),
	"journal":  {strings.Replace(sqlJournalHead, "$1", "$1::book", 1), []string{"'test'", "'{cause}'"}},
	"legs":     {strings.Replace(sqlJournalLegs, "$1", "$1::book", 1), []string{"'test'", "'{cause}'", "''"}},
}

// positional writes @names as $1, $2, … with their types: "name type example".
func positional(sql string, params ...string) ReadingQuery {
	q := ReadingQuery{SQL: sql}
	for i, p := range params {
		f := strings.SplitN(p, " ", 3)
		q.SQL = strings.ReplaceAll(q.SQL, "@"+f[0], "$"+string(rune('1'+i))+"::"+f[1])
		q.Example = append(q.Example, f[2])
	}
	return q
}
