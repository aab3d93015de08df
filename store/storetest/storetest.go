// Package storetest gives each test a PostgreSQL database of its own, migrated, and judged by audit.Check at its end.
package storetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"paysaga/audit"
	"paysaga/domain/access"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/store"
)

// Environment names the URL of a running server to use, as a role that may create databases and roles. Without it the
// tests start a throw-away server of their own.
const Environment = "PAYSAGA_TEST_POSTGRES"

// Database is a test's own database.
type Database struct {
	Store    *store.Store
	Config   store.Config  // what Store was opened with: the application's role
	OwnerURL string        // may do everything, also what the application can't
	Owner    *pgxpool.Pool // connected as the owner
}

// SealKeys are the keys of every test database.
var SealKeys = store.SealKeys{Current: "test", Keys: map[string][]byte{"test": []byte("0123456789abcdef0123456789abcdef")}}

// New returns a store on a new database that is dropped after the test.
func New(t testing.TB) *store.Store { return Open(t).Store }

// Open makes a new database. adjust may change how the store is opened. At the end of the test the book has to be in order:
// there is no way around audit.Check.
func Open(t testing.TB, adjust ...func(*store.Config)) *Database {
	t.Helper()
	ctx := t.Context()
	srv := running(t)
	name := "paysaga_test_" + random()
	srv.admin(t, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s STRATEGY FILE_COPY", name, srv.template))
	d := &Database{OwnerURL: srv.url(name, nil)}
	t.Cleanup(func() { srv.admin(t, fmt.Sprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", name)) })

	var err error
	d.Owner, err = pgxpool.New(ctx, d.OwnerURL)
	require.NoError(t, err)
	t.Cleanup(d.Owner.Close)
	d.Config = store.Config{URL: srv.url(name, url.UserPassword(appRole, appRole)), MaxConns: 8, SealKeys: SealKeys}
	for _, f := range adjust {
		f(&d.Config)
	}
	d.Store, err = store.Open(ctx, d.Config)
	require.NoError(t, err)
	t.Cleanup(func() {
		d.Store.Close()
		d.Audit(t)
	})
	return d
}

// Audit fails the test unless every invariant that SQL can judge holds.
func (d *Database) Audit(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	report, err := audit.Check(ctx, d.Owner, audit.Options{Full: true, UndeliveredAfter: -1})
	require.NoError(t, err)
	for _, v := range report.Violations {
		t.Errorf("audit: %s", v)
	}
}

// Seed is what most tests need to stand: a merchant with a key, and an account at the sandbox channel.
type Seed struct {
	Book           id.Book
	MerchantID     string
	KeyID, Token   string
	ChannelAccount string
}

// Plant makes a Seed in a book. terms may be left out.
func Plant(t testing.TB, s *store.Store, book id.Book, terms ...payment.Terms) Seed {
	t.Helper()
	ctx := t.Context()
	m := store.Merchant{Book: book, Name: "Demo"}
	for _, m.Terms = range terms {
	}
	seed := Seed{Book: book}
	var err error
	seed.MerchantID, err = s.CreateMerchant(ctx, m)
	require.NoError(t, err)
	seed.KeyID, seed.Token, err = s.CreateKey(ctx, store.KeyGrant{Book: book, MerchantID: seed.MerchantID, Scopes: access.MerchantScopes})
	require.NoError(t, err)
	seed.ChannelAccount, err = s.AddChannelAccount(ctx, store.ChannelAccount{Book: book, Channel: "sandbox", Lane: payment.Standard,
		Credentials: map[string]string{"secret": "sandbox"}})
	require.NoError(t, err)
	return seed
}

const appRole = "paysaga_test_app"

var once struct {
	sync.Once
	srv *server
	err error
}

// running returns the one server of this test process.
func running(t testing.TB) *server {
	t.Helper()
	once.Do(func() { once.srv, once.err = start(os.Getenv(Environment)) })
	require.NoError(t, once.err, "a PostgreSQL for tests")
	return once.srv
}

// start finds or starts a server, and migrates its template database.
func start(given string) (*server, error) {
	srv := &server{}
	var err error
	if given == "" {
		given, err = launch()
	}
	if err == nil {
		srv.base, err = url.Parse(given)
	}
	if err == nil {
		err = srv.makeTemplate()
	}
	return srv, err
}

type server struct {
	base     *url.URL
	template string
}

// url is the address of a database, for the owner or another user.
func (s *server) url(database string, user *url.Userinfo) string {
	u := *s.base
	u.Path = "/" + database
	if user != nil {
		u.User = user
	}
	return u.String()
}

// admin runs a statement that can't stand in a transaction.
func (s *server) admin(t testing.TB, sql string) {
	t.Helper()
	// Not the test's context: it has ended when clean-ups run.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.base.String())
	require.NoError(t, err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	require.NoError(t, err)
}

func random() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails: it ends the process instead
	return hex.EncodeToString(b)
}
