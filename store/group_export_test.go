package store

import (
	"strconv"

	"paysaga/domain/id"
)

// Waiting is how many Steps of a book wait for a lane.
func (s *Store) Waiting(book id.Book) int {
	db := s.books[book]
	db.mu.Lock()
	defer db.mu.Unlock()
	if c := db.committers[book]; c != nil {
		return len(c.queue)
	}
	return 0
}

// CrowdAccounts fills the cache of accounts with strangers until room more fit.
func (s *Store) CrowdAccounts(book id.Book, room int) {
	c := &s.books[book].accounts
	for i := 0; ; i++ {
		c.mu.RLock()
		full := len(c.refs) >= maxCached-room
		c.mu.RUnlock()
		if full {
			return
		}
		c.put(accountKey{book, "stranger/s" + strconv.Itoa(i), "CNY"}, accountRef{no: -1})
	}
}
