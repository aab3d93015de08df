package bank

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/reconcile"
)

// Told is what the bank said of one of our operations, as a callback. It is
// verified: it stood in the account's own folder.
type Told struct {
	channels.Callback
	Body []byte // what it was read from, as our own record: the file itself is in the archive
}

// Report says what a round of Work did.
type Report struct {
	Busy       bool // another process is at it
	Sent       int  // files to the bank
	Instructed int  // instructions in them
	Read       int  // files of the bank
	Told       int  // callbacks
	// Problems are about files that a person has to look at; they quote nothing of them.
	Problems []string
}

// Work exchanges an account's folder with the bank: what is due at a cut-off
// leaves, what came is read, kept and told. It may be killed at any point, and may
// run in any number of processes: all of it is done once, or done again to the
// same effect. tell stores a callback and returns when it is safe; the same one
// may be told again. A file that can't be believed goes aside and is reported; an
// error is of the folder, or of tell.
func (ch *Channel) Work(ctx context.Context, a channels.Account, now time.Time, tell func(context.Context, Told) error) (Report, error) {
	var did Report
	d, err := ch.desk(a)
	if err != nil {
		return did, err
	}
	unlock, err := d.Lock(ctx)
	if fault.Is(err, fault.KindConflict, "folder_busy") {
		return Report{Busy: true}, nil
	}
	if err != nil {
		return did, err
	}
	defer unlock()
	// A folder in which nothing can be sent may still have answers, and the other way round.
	sent := d.send(ctx, now, &did)
	return did, errors.Join(sent, d.collect(ctx, now, &did, tell))
}

// settles is how long a file is left alone that isn't complete: who writes it may
// not know of the rule about names.
const settles = 5 * time.Minute

// maxInbox bounds a file of the bank.
const maxInbox = 4 << 30

func (d desk) collect(ctx context.Context, now time.Time, did *Report, tell func(context.Context, Told) error) error {
	files, err := d.List(ctx, Inbox)
	if err != nil {
		return err
	}
	for _, f := range files {
		if strings.HasPrefix(f.Name, ".") || strings.HasSuffix(f.Name, ".part") || strings.HasSuffix(f.Name, ".tmp") {
			continue
		}
		c := collecting{desk: d, name: f.Name, tell: tell, did: did, now: now}
		err := c.file(ctx)
		var bad *flaw
		switch {
		case errors.As(err, &bad) && bad.reason == errTruncated.Error() && now.Sub(f.Changed) < settles:
			continue
		case errors.As(err, &bad):
			if err := d.Move(ctx, Inbox+"/"+f.Name, Refused+"/"+c.stamp()); err != nil {
				return err
			}
			did.Problems = append(did.Problems, fmt.Sprintf("%s, line %d: %s", Refused+"/"+c.stamp(), bad.line, bad.reason))
			continue
		case err != nil:
			return err
		}
		if err := d.Move(ctx, Inbox+"/"+f.Name, Archive+"/"+c.stamp()); err != nil {
			return err
		}
		did.Read++
	}
	return nil
}

// collecting is one file of the bank in hand.
type collecting struct {
	desk
	name, hash string
	now        time.Time
	tell       func(context.Context, Told) error
	did        *Report
}

// stamp is the file's name once it is dealt with: two of one name stay two.
func (c *collecting) stamp() string { return c.hash[:16] + "-" + c.name }

// scan hands the file's bytes to f.
func (c *collecting) scan(ctx context.Context, f func(io.Reader) error) error {
	r, err := c.Open(ctx, Inbox+"/"+c.name)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	return f(r)
}

// file reads the whole file first, and believes none of it unless all of it is as
// it should be. Then each line is kept, and told.
func (c *collecting) file(ctx context.Context) error {
	sum, space := sha256.New(), ""
	if err := c.scan(ctx, func(r io.Reader) error {
		if _, err := io.Copy(sum, r); err != nil {
			return fault.Unavailable("folder_unreadable", "a file of the bank's folder can't be read", err)
		}
		return nil
	}); err != nil {
		return err
	}
	c.hash = hex.EncodeToString(sum.Sum(nil))
	if err := c.scan(ctx, func(r io.Reader) (err error) { space, err = messageOf(r); return err }); err != nil {
		return err
	}
	switch space {
	case pain002:
		var report statusReport
		if err := c.scan(ctx, func(r io.Reader) (err error) { report, err = readStatus(r, c.zone); return err }); err != nil {
			return err
		}
		return c.statuses(ctx, report)
	case camt053, camt054:
		return c.movements(ctx, space)
	}
	return &flaw{line: 1, reason: "it is no message that we read: pain.002, camt.053 or camt.054"}
}

// messageOf is what a file is by its first element.
func messageOf(r io.Reader) (string, error) {
	d := read(r, maxInbox)
	if _, err := d.next(); err != nil {
		return "", err
	}
	for _, known := range []map[string][]string{pain002s, camts} {
		if message, _ := d.among(known); message != "" {
			return message, nil
		}
	}
	return "", nil
}

// statuses keeps and tells what a pain.002 says of each transfer: its own line if
// it has one, else its group's, else the file's.
func (c *collecting) statuses(ctx context.Context, r statusReport) error {
	var m manifest
	found, err := record(ctx, c, batches+"/"+clean(r.msgID)+".json", &m)
	if err != nil {
		return err
	}
	if !found {
		return &flaw{line: 1, reason: "it is about a file that we didn't send"}
	}
	group := map[string]string{}
	for name, refs := range m.Groups {
		for _, ref := range refs {
			group[ref] = name
		}
	}
	lines := map[string]status{} // of each transfer the one that speaks of it most closely
	weight := func(s status) int {
		switch {
		case s.endToEnd != "":
			return 2
		case s.group != "":
			return 1
		}
		return 0
	}
	for _, s := range r.statuses {
		about := m.Groups[s.group]
		switch {
		case s.endToEnd != "" && group[s.endToEnd] == "", s.endToEnd == "" && s.group != "" && about == nil:
			return &flaw{line: s.line, reason: "it is about something that wasn't in the file it names"}
		case s.endToEnd != "":
			about = []string{s.endToEnd}
		case s.group == "":
			about = m.references()
		}
		for _, ref := range about {
			if was, there := lines[ref]; !there || weight(s) >= weight(was) {
				lines[ref] = s
			}
		}
	}
	for _, ref := range m.references() {
		s, spoken := lines[ref]
		if !spoken || s.code == "PART" {
			continue
		}
		if err := c.word(ctx, ref, word{Status: s.code, Reason: s.reason, AmountMinor: s.amountMinor, Currency: s.currency,
			At: r.created.UTC(), File: c.hash, Row: s.row}); err != nil {
			return err
		}
	}
	return nil
}

// clean keeps a name of the bank's from being a path.
func clean(name string) string {
	if strings.ContainsAny(name, "/\\") || strings.HasPrefix(name, ".") || name == "" {
		return "-"
	}
	return name
}

// word keeps what the bank said of a transfer, and tells it. Kept first: whoever
// hears it asks what holds now.
func (c *collecting) word(ctx context.Context, reference string, w word) error {
	if err := keep(ctx, c, own(said, reference)+"/"+c.event(w.Row), w); err != nil {
		return err
	}
	verdict := stand(w.Status, w.Reason)
	if verdict == payment.Pending {
		return nil // nothing to hear: asking says the same
	}
	in := instruction{AmountMinor: w.AmountMinor, Currency: w.Currency} // what nobody instructed is told too: it will be an orphan
	if _, err := record(ctx, c, own(instructions, reference)+".json", &in); err != nil {
		return err
	}
	out := judge([]word{w}, money.New(in.AmountMinor, money.Currency(in.Currency)))
	out.ChannelID = reference
	return c.callback(ctx, subject(reference), reference, out, w.Row, w)
}

// event is unique for a line of a file, whatever the file is called.
func (c *collecting) event(row int) string { return fmt.Sprintf("%s-%d", c.hash[:32], row) }

func subject(reference string) channels.Subject {
	business, _, err := id.ParseReference(reference)
	switch {
	case err == nil && id.Is(id.Payout, business):
		return channels.SubjectPayout
	case err == nil && id.Is(id.Refund, business):
		return channels.SubjectRefund
	}
	return channels.SubjectCharge
}

func (c *collecting) callback(ctx context.Context, about channels.Subject, reference string, out payment.Outcome, row int, record any) error {
	if about == channels.SubjectRefund && out.Decline != nil && out.Decline.Code == "payout_returned" {
		out.Decline.Code = "refund_returned"
	}
	body, err := json.Marshal(record)
	if err != nil {
		return fault.Internal("a record can't be written", err)
	}
	c.did.Told++
	return c.tell(ctx, Told{Body: body, Callback: channels.Callback{EventID: c.event(row) + "-" + reference, Subject: about, Reference: reference, Outcome: out.Vetted()}})
}

// movements reads a camt twice: first all of it is held against itself, then its
// movements are told. Statements are only kept, for who reconciles: what they say
// was told by notifications before.
func (c *collecting) movements(ctx context.Context, message string) error {
	var kept []report
	check := func(r *report) error {
		if r.iban != "" && r.iban != c.iban {
			return &flaw{line: 1, reason: "it is about another account"}
		}
		if len(kept) < 1000 {
			kept = append(kept, report{id: r.id, day: r.day})
		}
		return nil
	}
	skip := func(*movement) error { return nil }
	if err := c.scan(ctx, func(r io.Reader) error {
		_, err := readCamt(r, maxInbox, c.zone, skip, check)
		return err
	}); err != nil {
		return err
	}
	if message == camt054 {
		if err := c.scan(ctx, func(r io.Reader) error {
			_, err := readCamt(r, maxInbox, c.zone, func(m *movement) error { return c.moved(ctx, m) }, func(*report) error { return nil })
			return err
		}); err != nil {
			return err
		}
	}
	var listed []string
	for _, r := range kept {
		if r.day == "" || slices.Contains(listed, r.day) {
			continue
		}
		listed = append(listed, r.day)
		err := put(ctx, c, days+"/"+kinds[message]+"/"+r.day+"/"+c.hash, []byte(c.stamp()+"\n"), maxRecord)
		if err != nil && !fault.Is(err, fault.KindConflict, "record_differs") { // the same file came before, by another name
			return err
		}
	}
	return nil
}

var kinds = map[string]string{camt053: KindStatement, camt054: KindNotification}

// moved tells one movement of a notification. Money that came in and explains
// itself by nothing is told too: somebody has to see it.
func (c *collecting) moved(ctx context.Context, m *movement) error {
	ours := ""
	for _, ref := range []string{m.endToEnd, m.instruction} {
		if _, _, err := id.ParseReference(ref); err == nil && subject(ref) != channels.SubjectCharge {
			ours = ref
			break
		}
	}
	w := word{AmountMinor: max(m.minor, -m.minor), Currency: m.currency, At: m.at.UTC(), File: c.hash, Row: m.row}
	switch {
	case ours != "" && m.minor > 0 && (m.reversal || m.returned != ""):
		w.Status, w.Reason = wordReturned, m.returned
		return c.word(ctx, ours, w)
	case ours != "" && m.minor < 0 && !m.reversal && m.returned == "":
		w.Status = wordBooked
		return c.word(ctx, ours, w)
	case m.minor < 0 && (m.reversal || m.returned != "") && m.rf() != "":
		return c.takenBack(ctx, m)
	case m.minor <= 0:
		return nil // what we pay by other ways, and the bank's fees: the statement has them
	}
	return c.came(ctx, m)
}

// came keeps and tells money that came in.
func (c *collecting) came(ctx context.Context, m *movement) error {
	rf := m.rf()
	in := credit{ID: m.id(), RF: rf, AmountMinor: m.minor, Currency: m.currency, At: m.at.UTC(), IBAN: m.iban, Name: m.name, File: c.hash, Row: m.row}
	reference := rf // nobody's, so far: it will be an orphan
	if rf != "" {
		var p payin
		found, err := record(ctx, c, payins+"/"+rf, &p)
		if err != nil {
			return err
		}
		if found {
			reference = p.Reference
			err := keep(ctx, c, own(credits, reference)+"/"+in.ID, in)
			if err != nil && !fault.Is(err, fault.KindConflict, "record_differs") { // told of before, by another file
				return err
			}
		}
	}
	return c.callback(ctx, channels.SubjectCharge, reference, in.outcome(), m.row, in)
}

// brokenFile is what a reader of statements says of a flaw.
func brokenFile(f reconcile.File, err error) error {
	var bad *flaw
	if errors.As(err, &bad) {
		return f.Broken(bad.line, bad.reason)
	}
	return err
}
