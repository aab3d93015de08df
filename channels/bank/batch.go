package bank

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"paysaga/domain/fault"
)

// maxBatch is how many instructions go into one file.
const maxBatch = 5000

// manifest is what we remember of a file: nothing of whom it pays.
type manifest struct {
	MsgID   string              `json:"msg_id"`
	Hash    string              `json:"hash"` // hex SHA-256 of the file
	Created string              `json:"created"`
	Groups  map[string][]string `json:"groups"` // PmtInfId → references
}

func (m manifest) references() (all []string) {
	for _, g := range m.Groups {
		all = append(all, g...)
	}
	slices.Sort(all)
	return all
}

// placement says in which file an instruction went.
type placement struct {
	MsgID  string    `json:"msg_id"`
	Closed time.Time `json:"closed"` // when the file was made
}

// send closes what is due at a cut-off and lets it leave. Who dies at any point
// of it is followed by another, who does the rest once: the prepared file is what
// decides which instructions go; it becomes the bank's by one move, which comes
// last. So none is sent twice and none is forgotten (I-13). The folder is locked.
func (d desk) send(ctx context.Context, now time.Time, did *Report) error {
	left, err := d.List(ctx, prepared)
	if err != nil {
		return err
	}
	for _, f := range left {
		if err := d.finish(ctx, f.Name, did); err != nil {
			return err
		}
	}
	due := d.cutOff(now)
	waiting, err := d.waiting(ctx, due)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(waiting, maxBatch) {
		name, err := d.prepare(ctx, due, now, part)
		if err != nil {
			return err
		}
		if err := d.finish(ctx, name, did); err != nil {
			return err
		}
	}
	return nil
}

// waiting are the instructions that make a cut-off, by reference.
func (d desk) waiting(ctx context.Context, due time.Time) (list []transfer, err error) {
	files, err := d.List(ctx, pending)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		var t transfer
		found, err := record(ctx, d, pending+"/"+f.Name, &t)
		if err != nil {
			return nil, err
		}
		if !found || t.AcceptedAt.After(due) {
			continue
		}
		went, err := exists(ctx, d, own(placed, t.Reference))
		if err != nil {
			return nil, err
		}
		taken, err := exists(ctx, d, own(instructions, t.Reference)+".json")
		if err != nil {
			return nil, err
		}
		if !went && taken { // one that isn't taken in is in the middle of it: its caller comes again
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(x, y transfer) int { return strings.Compare(x.Reference, y.Reference) })
	return list, nil
}

// prepare writes the file down. From then on its instructions are in it.
func (d desk) prepare(ctx context.Context, due, now time.Time, list []transfer) (name string, err error) {
	b := batch{Created: now, Executed: now.In(d.zone).Format(time.DateOnly), Payments: list}
	for n := 0; ; n++ {
		b.MsgID = d.msgID(due, n)
		taken, err := exists(ctx, d, batches+"/"+b.MsgID+".json")
		if err != nil {
			return "", err
		}
		if !taken {
			break
		}
	}
	content, err := d.write(b)
	if err != nil {
		return "", err
	}
	if _, err := reread(content); err != nil {
		return "", err
	}
	name = b.MsgID + ".xml"
	err = d.Create(ctx, prepared+"/"+name, content)
	if fault.Is(err, fault.KindConflict, "file_exists") { // the answer of an earlier Create was lost: what stands holds
		err = nil
	}
	return name, err
}

// msgID is the name of the nth file of an account's cut-off, always the same.
func (d desk) msgID(due time.Time, n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %d", d.account, due.Unix(), n))
	return "PS" + due.UTC().Format("0601021504") + "-" + base32.StdEncoding.EncodeToString(sum[:10])
}

// finish lets a prepared file leave.
func (d desk) finish(ctx context.Context, name string, did *Report) error {
	content, err := load(ctx, d, prepared+"/"+name, maxFile)
	if err != nil {
		return err
	}
	m, err := reread(content)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	list := manifest{MsgID: m.Header.MsgID, Hash: hex.EncodeToString(sum[:]), Created: m.Header.Created, Groups: map[string][]string{}}
	at, err := time.Parse(time.RFC3339, m.Header.Created)
	if err != nil {
		return broken("it has no time")
	}
	for _, g := range m.Groups {
		for _, t := range g.Payments {
			list.Groups[g.ID] = append(list.Groups[g.ID], t.ID)
		}
	}
	record, err := json.Marshal(list)
	if err != nil {
		return fault.Internal("a record can't be written", err)
	}
	if err := put(ctx, d, batches+"/"+list.MsgID+".json", record, maxRecord); err != nil {
		return err
	}
	for _, ref := range list.references() {
		if err := keep(ctx, d, own(placed, ref), placement{MsgID: list.MsgID, Closed: at}); err != nil {
			return err
		}
		if err := d.Remove(ctx, pending+"/"+ref+".json"); err != nil {
			return err
		}
	}
	if err := d.Move(ctx, prepared+"/"+name, Outbox+"/"+name); err != nil {
		return err
	}
	did.Sent, did.Instructed = did.Sent+1, did.Instructed+len(list.references())
	return nil
}
