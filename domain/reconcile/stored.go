package reconcile

import "time"

// Status is how far a file has come.
type Status string

// The statuses of a file. Its lines count once it is Imported.
const (
	Importing Status = "importing"
	Imported  Status = "imported"
	Refused   Status = "refused" // Stored.Reason says where and why; nothing of it was kept
)

// Stored is a file as it is kept: what it was, never its bytes.
type Stored struct {
	File
	No      int64 // of the book
	Channel string
	Day     Date // that it was asked for; zero: nobody said
	Bytes   int64

	Status   Status
	Reason   string
	Declared bool
	// Lines are all that it has, Done those that are kept so far, from the first on, and Kept those of them that no other
	// row had been before.
	Lines, Done, Kept int64
	First, Last       Date // the days of its lines
	CreatedAt         time.Time
	UpdatedAt         time.Time
}

// Sum is a file's sum of one kind of line in one currency, and what of it was of rows that had been there before.
type Sum struct {
	Group
	Total Total
	Again Total
}

// What is found out about a row that had been there before.
const (
	Twice   = "twice"   // the same file has it twice
	Changed = "changed" // another file has it with other amounts, or as another kind
)

// Finding is a row that had been there before, and isn't simply the same row of an overlapping file.
type Finding struct {
	What                string
	Row                 int64
	FirstFile, FirstRow int64
	Identity            string
	Currency            string
	Gross, Fee, Net     int64
}

// Filter chooses files; what is empty isn't asked about.
type Filter struct {
	Account string
	Kind    string
	Status  Status
	Limit   int // 1–1000
}
