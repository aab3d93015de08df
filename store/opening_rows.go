package store

import (
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// accountRows are accounts on their way to PostgreSQL.
type accountRows struct{ list []accountRow }

type accountRow struct {
	ledger.Account
	at time.Time
}

func (r *accountRows) add(a ledger.Account, at time.Time) { r.list = append(r.list, accountRow{a, at}) }

// without are those that aren't found yet.
func (r accountRows) without(found map[accountKey]accountRef) accountRows {
	var left accountRows
	for _, a := range r.list {
		if found[keyOf(a.Account)].no == 0 {
			left.list = append(left.list, a)
		}
	}
	return left
}

func (r accountRows) args() pgx.NamedArgs {
	var books, ids, codes, currencies, owners, kinds, normals []string
	var floored []bool
	var floors []int64
	var ats []time.Time
	for _, a := range r.list {
		books, ids, codes = append(books, string(a.Book)), append(ids, mint(id.Account, a.at)), append(codes, a.Code)
		currencies, owners = append(currencies, string(a.Currency)), append(owners, a.Owner)
		kinds, normals = append(kinds, string(a.Kind)), append(normals, string(a.Normal))
		floored, floors, ats = append(floored, a.Floored), append(floors, a.Floor), append(ats, a.at)
	}
	return pgx.NamedArgs{"books": books, "ids": ids, "codes": codes, "currencies": currencies, "owners": owners, "kinds": kinds,
		"normals": normals, "floored": floored, "floors": floors, "ats": ats}
}
