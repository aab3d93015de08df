package store

import (
	"cmp"
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/notice"
)

// about is what is known of the people and merchants that some messages are about.
type about struct {
	settings  map[merchantOf]notice.Settings
	people    map[userOf]notice.Person
	customers map[orderOf]string // the payer of an order that names nobody
}

type (
	userOf  struct{ book, id string }
	orderOf struct{ book, id string }
)

const sqlNoticeSettings = `
	SELECT s.book::text, s.merchant_id, s.media, s.language, s.sender, s.quiet, m.time_zone
	FROM unnest($1::text[], $2::text[]) AS n(book, merchant_id)
	CROSS JOIN LATERAL (SELECT * FROM notice_settings WHERE book = n.book::book AND merchant_id = n.merchant_id OFFSET 0) s
	CROSS JOIN LATERAL (SELECT time_zone FROM merchants WHERE book = s.book AND id = s.merchant_id OFFSET 0) m`

// The last payment of an order that knows its customer.
const sqlOrderCustomers = `
	SELECT n.book, n.order_id, p.customer_id
	FROM unnest($1::text[], $2::text[]) AS n(book, order_id)
	CROSS JOIN LATERAL (SELECT customer_id FROM payments WHERE order_id = n.order_id AND book = n.book::book AND customer_id IS NOT NULL
		ORDER BY id DESC LIMIT 1) p`

const sqlPeople = `
	SELECT n.book, u.id, u.status, coalesce(u.language, ''), u.preferences, d.details_sealed, p.profile_sealed
	FROM unnest($1::text[], $2::text[]) AS n(book, id)
	CROSS JOIN LATERAL (SELECT id, status, language, preferences FROM users WHERE book = n.book::book AND id = n.id OFFSET 0) u
	LEFT JOIN LATERAL (SELECT details_sealed FROM user_details WHERE book = n.book::book AND user_id = u.id OFFSET 0) d ON true
	LEFT JOIN LATERAL (SELECT profile_sealed FROM user_profiles WHERE book = n.book::book AND user_id = u.id OFFSET 0) p ON true`

// aboutPeople reads what some events' messages need. Rows that have a user already are told to them alone.
func (s *Store) aboutPeople(ctx context.Context, q querier, rows []notice.Row) (*about, error) {
	a := &about{settings: map[merchantOf]notice.Settings{}, people: map[userOf]notice.Person{}, customers: map[orderOf]string{}}
	if err := a.readSettings(ctx, q, rows); err != nil {
		return nil, err
	}
	if err := a.readCustomers(ctx, q, rows); err != nil {
		return nil, err
	}
	return a, s.readPeople(ctx, q, a, rows)
}

func (a *about) readSettings(ctx context.Context, q querier, rows []notice.Row) error {
	seen := map[merchantOf]bool{}
	var books, merchants []string
	for _, r := range rows {
		if m := (merchantOf{string(r.Book), r.MerchantID}); !seen[m] {
			seen[m] = true
			books, merchants = append(books, m.book), append(merchants, m.merchant)
		}
	}
	list, err := q.Query(ctx, sqlNoticeSettings, books, merchants)
	if err != nil {
		return err
	}
	_, err = pgx.CollectRows(list, func(row pgx.CollectableRow) (notice.Settings, error) {
		v, err := scanNoticeSettings(row)
		a.settings[merchantOf{string(v.Book), v.MerchantID}] = v
		return v, err
	})
	return err
}

func scanNoticeSettings(row pgx.CollectableRow) (notice.Settings, error) {
	var v notice.Settings
	err := row.Scan(&v.Book, &v.MerchantID, &v.Media, &v.Language, &v.Sender, &v.Quiet, &v.TimeZone)
	return v, err
}

// readCustomers finds who pays the orders of events that name nobody.
func (a *about) readCustomers(ctx context.Context, q querier, rows []notice.Row) error {
	seen := map[orderOf]bool{}
	var books, orders []string
	for _, r := range rows {
		if r.UserID != "" {
			continue
		}
		people, err := notice.People(r.Event)
		order, unread := notice.OrderOf(r.ObjectType, r.ObjectID, r.Event)
		if o := (orderOf{string(r.Book), order}); err == nil && unread == nil && people == nil && order != "" && !seen[o] {
			seen[o] = true
			books, orders = append(books, o.book), append(orders, o.id)
		}
	}
	if books == nil {
		return nil
	}
	list, err := q.Query(ctx, sqlOrderCustomers, books, orders)
	if err != nil {
		return err
	}
	var o orderOf
	var customer string
	_, err = pgx.ForEachRow(list, []any{&o.book, &o.id, &customer}, func() error { a.customers[o] = customer; return nil })
	return err
}

// usersOf are the ids of those whom an event is about.
func (a *about) usersOf(r notice.Row) ([]string, error) {
	if r.UserID != "" {
		return []string{r.UserID}, nil
	}
	people, err := notice.People(r.Event)
	if err != nil || people != nil {
		return people, err
	}
	order, err := notice.OrderOf(r.ObjectType, r.ObjectID, r.Event)
	if customer := a.customers[orderOf{string(r.Book), order}]; customer != "" {
		people = append(people, customer)
	}
	return people, err
}

func (a *about) peopleOf(r notice.Row) ([]notice.Person, error) {
	users, err := a.usersOf(r)
	if err != nil {
		return nil, err
	}
	var list []notice.Person
	for _, user := range users {
		if p, known := a.people[userOf{string(r.Book), user}]; known {
			list = append(list, p)
		}
	}
	return list, nil
}

func (s *Store) readPeople(ctx context.Context, q querier, a *about, rows []notice.Row) error {
	seen := map[userOf]bool{}
	var books, users []string
	for _, r := range rows {
		list, _ := a.usersOf(r) // who can't be read is nobody here, and is met again by the plan
		for _, user := range list {
			if u := (userOf{string(r.Book), user}); !seen[u] {
				seen[u] = true
				books, users = append(books, u.book), append(users, u.id)
			}
		}
	}
	if books == nil {
		return nil
	}
	list, err := q.Query(ctx, sqlPeople, books, users)
	if err != nil {
		return err
	}
	_, err = pgx.CollectRows(list, func(row pgx.CollectableRow) (u userOf, err error) {
		var p notice.Person
		var status string
		var details, profile []byte
		if err = row.Scan(&u.book, &u.id, &status, &p.Language, &p.Preferences, &details, &profile); err != nil {
			return u, err
		}
		p.ID, p.Erased = u.id, status == "erased"
		s.reach(&p, details, profile)
		a.people[u] = p
		return u, nil
	})
	return err
}

// reach opens where somebody is reached: what was said about them, and where that says nothing what came with payments. What can't be
// opened reaches nobody, and must not hold up everybody else.
func (s *Store) reach(p *notice.Person, details, profile []byte) {
	var said, came struct {
		Email      string   `json:"email"`
		Phone      string   `json:"phone"`
		PushTokens []string `json:"push_tokens"`
	}
	for sealed, into := range map[*[]byte]any{&details: &came, &profile: &said} {
		if *sealed == nil || p.Erased {
			continue
		}
		if text, err := s.OpenSealed(*sealed); err == nil {
			_ = json.Unmarshal(text, into)
		}
	}
	p.Mail, p.Phone, p.PushTokens = cmp.Or(said.Email, came.Email), cmp.Or(said.Phone, came.Phone), said.PushTokens
}
