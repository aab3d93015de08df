// Package store keeps paysaga's state in PostgreSQL through pgx: Steps are committed in commit.go, each table group is read
// and written in a file of its own, and the schema is in migrations. Driver errors never leave: callers see domain/fault.
package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"paysaga/domain/fault"
	"paysaga/domain/id"
)

// Config says where the data is and how it is kept secret. URL and SealKeys are required.
type Config struct {
	// URL of the database, for the application's role: it can't change what was booked (I-04).
	URL string
	// URLs gives books a database of their own; the others share URL. Operators are always in URL's.
	URLs map[id.Book]string
	// MaxConns bounds the connections that read each database. Default 16.
	MaxConns int
	// Lanes bounds the connections that write each book, beside those that read. Default 2: one commits while the other is judged.
	Lanes int
	// MaxBatch bounds the Steps that are committed together. Default 512.
	MaxBatch int
	// Queue bounds the Steps that wait for a lane, per book; one more is Unavailable "store_queue_full". Default 8192.
	Queue int
	// SealKeys seal credentials, tokens and personal data.
	SealKeys SealKeys
	// CacheFor is how long accounts and API keys are believed without asking: so long a revoked key may still work.
	// Default 5 s; negative: ask each time.
	CacheFor time.Duration
	// Lazy lets Open return without having connected: until the database is there, every call is fault.Unavailable.
	Lazy bool
	// Now is the clock. Default time.Now.
	Now func() time.Time

	// dial replaces the network in tests that cut connections at chosen bytes.
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Store is the one way to the database. It is safe for concurrent use; Close ends it.
type Store struct {
	dbs   []*database // the first holds what belongs to no book
	books map[id.Book]*database
	now   func() time.Time
	seal  *sealer
	cache caches
	// digesting holds each book's secret under which personal values are digested.
	digesting sync.Map
	// tokenKeys holds what signs users' tokens, by book and period.
	tokenKeys sync.Map

	limits limits
}

// limits are those of a committer.
type limits struct{ lanes, batch, queue int }

// database is one PostgreSQL database: it holds one or more books.
type database struct {
	pool     *pgxpool.Pool
	books    []id.Book
	accounts accountCache

	told       told
	mu         sync.Mutex
	committers map[id.Book]*committer
}

// Open checks c and, unless it is Lazy, connects. An unreachable database is fault.Unavailable.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.MaxConns == 0 {
		c.MaxConns = 16
	}
	if c.CacheFor == 0 {
		c.CacheFor = 5 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	sealer, err := newSealer(c.SealKeys, rand.Reader)
	if err != nil {
		return nil, err
	}
	s := &Store{books: map[id.Book]*database{}, now: c.Now, seal: sealer, cache: newCaches(c.CacheFor, c.Now),
		limits: limits{lanes: cmp.Or(c.Lanes, 2), batch: cmp.Or(c.MaxBatch, 512), queue: cmp.Or(c.Queue, 8192)}}
	byURL := map[string]*database{}
	for _, url := range append([]string{c.URL}, urls(c)...) {
		if byURL[url] != nil {
			continue
		}
		pool, err := connect(ctx, url, c)
		if err != nil {
			s.Close()
			return nil, err
		}
		byURL[url] = &database{pool: pool}
		s.dbs = append(s.dbs, byURL[url])
	}
	for _, b := range id.Books() {
		db := byURL[c.URL]
		if own := c.URLs[b]; own != "" {
			db = byURL[own]
		}
		s.books[b], db.books = db, append(db.books, b)
	}
	return s, nil
}

func urls(c Config) []string {
	var list []string
	for _, b := range id.Books() {
		if u := c.URLs[b]; u != "" {
			list = append(list, u)
		}
	}
	return list
}

func connect(ctx context.Context, url string, c Config) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		// The cause quotes the URL, which may hold a password (I-26).
		return nil, fault.Invalid("database_url_invalid", "", "a database URL can't be read")
	}
	cfg.MaxConns = int32(c.MaxConns)
	p := cfg.ConnConfig.RuntimeParams
	p["application_name"] = "paysaga"
	p["timezone"] = "UTC"
	// Every statement here goes by key. A plan is made once per connection, perhaps while its tables are still empty; these
	// keep it from being one that reads a whole table, which would stay with us while the table grows.
	p["enable_seqscan"], p["enable_hashjoin"], p["enable_mergejoin"] = "off", "off", "off"
	// Left to itself, PostgreSQL plans the insertion of entries anew each time, while others wait for the accounts.
	p["plan_cache_mode"] = "force_generic_plan"
	// Clearing and fee accounts are locked by every payment: whoever stalls must let go.
	p["lock_timeout"] = "10s"
	p["statement_timeout"] = "30s"
	p["idle_in_transaction_session_timeout"] = "10s"
	if c.dial != nil {
		cfg.ConnConfig.DialFunc = c.dial
	}
	cfg.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		conn.TypeMap().RegisterType(&pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID,
			Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}})
		registerColumns(conn.TypeMap())
		return nil
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err == nil && !c.Lazy {
		err = pool.Ping(ctx)
		if err != nil {
			pool.Close()
		}
	}
	return pool, failure(err)
}

// Close waits for running batches and statements and lets the connections go.
func (s *Store) Close() {
	for _, db := range s.dbs {
		db.mu.Lock()
		list := slices.Collect(maps.Values(db.committers))
		db.mu.Unlock()
		for _, c := range list {
			c.close()
		}
		db.pool.Close()
	}
}

// connect opens a connection beside the pool.
func (d *database) connect(ctx context.Context) (*pgx.Conn, error) {
	c := d.pool.Config()
	conn, err := pgx.ConnectConfig(ctx, c.ConnConfig)
	if err == nil {
		err = c.AfterConnect(ctx, conn)
	}
	return conn, err
}

// Health asks every database for a sign of life.
func (s *Store) Health(ctx context.Context) error {
	for _, db := range s.dbs {
		if err := db.pool.Ping(ctx); err != nil {
			return failure(err)
		}
	}
	return nil
}

// db finds the database of a book.
func (s *Store) db(book id.Book) (*database, error) {
	if db := s.books[book]; db != nil {
		return db, nil
	}
	return nil, fault.Invalid("book_invalid", "", "a book is live, test or shadow")
}

// clock is our time as PostgreSQL keeps it, so that what is returned equals what is read back.
func (s *Store) clock() time.Time { return s.now().UTC().Truncate(time.Microsecond) }
