package id

import "paysaga/domain/fault"

// Book separates real money from tests and load tests. It is part of every primary business key; no journal spans two (I-25).
type Book string

const (
	Live   Book = "live"
	Test   Book = "test"
	Shadow Book = "shadow" // load tests in production
)

// Books returns every book once.
func Books() []Book { return []Book{Live, Test, Shadow} }

// ParseBook reads a book's name, or returns Invalid "book_invalid".
func ParseBook(text string) (Book, error) {
	switch b := Book(text); b {
	case Live, Test, Shadow:
		return b, nil
	}
	return "", fault.Invalid("book_invalid", "", "a book is live, test or shadow")
}

// Livemode reports whether money in this book is real.
func (b Book) Livemode() bool { return b == Live }

// KeyPrefix is what secret API keys of this book start with: "sk_test_".
func (b Book) KeyPrefix() string { return "sk_" + string(b) + "_" }
