package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"paysaga/channels"
	"paysaga/channels/bank"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/store"
)

// bankCommand groups what is done about accounts at banks.
type bankCommand struct {
	Init bankInit `cmd:"" help:"Make the directories in a folder that is exchanged with a bank: outbox, inbox, archive, refused, book."`
	Work bankWork `cmd:"" help:"Exchange files with the banks once: send what is due, read what came. The workers do so by themselves."`
}

type bankInit struct {
	Folder string `arg:"" help:"The folder. It has to be there."`
}

// Run makes what isn't there.
func (c *bankInit) Run(a *app) error {
	full, err := filepath.Abs(c.Folder)
	if err == nil {
		err = initBankFolder(full)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "folder  %s\nTo the bank go the files in outbox, its files come into inbox. book is paysaga's own: back it up, and never clear it.\n", full)
	return err
}

type bankWork struct {
	databaseConfig `embed:""`
}

// Run ends with 1 if a folder can't be worked in, or a file was refused.
func (c *bankWork) Run(a *app) error {
	s, err := openStore(a.ctx, c.databaseConfig)
	if err != nil {
		return err
	}
	defer s.Close()
	clerk := newClerk(s, slog.New(slog.NewTextHandler(a.err, nil)), func() {})
	did, failed := clerk.round(a.ctx, time.Now())
	_, err = fmt.Fprintf(a.out, "sent      %d files, %d instructions\nread      %d files\ntold      %d\nrefused   %d\n", did.Sent, did.Instructed, did.Read, did.Told, len(did.Problems))
	if failed != nil {
		return failed
	}
	if len(did.Problems) > 0 {
		return fmt.Errorf("files of a bank were refused: see above, and docs/bank.md")
	}
	return err
}

// clerk exchanges files with the banks, of all accounts that are run by files.
type clerk struct {
	banks *bank.Channel
	store *store.Store
	log   *slog.Logger
	poke  func()
	files *prometheus.CounterVec
	last  *prometheus.GaugeVec
}

func newClerk(s *store.Store, log *slog.Logger, poke func()) *clerk {
	return &clerk{banks: bank.New(openBankFolder), store: s, log: log, poke: poke,
		files: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "paysaga_bank_files_total", Help: "Files exchanged with a bank: sent, read, refused."},
			[]string{"channel_account", "what"}),
		last: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "paysaga_bank_round_timestamp_seconds", Help: "When an account's folder was last worked through without an error."},
			[]string{"channel_account"})}
}

// run works until ctx ends.
func (c *clerk) run(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if _, err := c.round(ctx, time.Now()); err != nil && ctx.Err() == nil {
			c.log.Warn("a bank's folder can't be worked through; trying on", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// round works through every folder once. One that fails doesn't keep the others
// waiting; the last failure is returned.
func (c *clerk) round(ctx context.Context, now time.Time) (sum bank.Report, failed error) {
	for _, book := range id.Books() {
		list, err := c.store.ChannelAccounts(ctx, book)
		if err != nil {
			failed = err
			continue
		}
		for _, a := range list {
			if a.Channel != bank.Name { // paused and disabled ones too: what was instructed has answers
				continue
			}
			did, err := c.account(ctx, a.ID, now)
			if err != nil {
				failed = fmt.Errorf("%s: %w", a.ID, err)
			}
			sum.Sent, sum.Instructed, sum.Read, sum.Told = sum.Sent+did.Sent, sum.Instructed+did.Instructed, sum.Read+did.Read, sum.Told+did.Told
			sum.Problems = append(sum.Problems, did.Problems...)
		}
	}
	return sum, failed
}

func (c *clerk) account(ctx context.Context, accountID string, now time.Time) (bank.Report, error) {
	account, err := c.store.Account(ctx, bank.Name, accountID)
	if err != nil {
		return bank.Report{}, err
	}
	did, err := c.banks.Work(ctx, account, now, func(ctx context.Context, t bank.Told) error { return c.receive(ctx, account, t) })
	c.files.WithLabelValues(accountID, "sent").Add(float64(did.Sent))
	c.files.WithLabelValues(accountID, "read").Add(float64(did.Read))
	c.files.WithLabelValues(accountID, "refused").Add(float64(len(did.Problems)))
	for _, problem := range did.Problems {
		c.log.Error("a file of a bank is refused: a person has to look at it", "channel_account", accountID, "file", problem)
	}
	if did.Sent > 0 {
		c.log.Info("instructions have left for a bank", "channel_account", accountID, "files", did.Sent, "instructions", did.Instructed)
	}
	if did.Told > 0 {
		c.poke()
	}
	if err == nil && !did.Busy {
		c.last.WithLabelValues(accountID).Set(float64(now.Unix()))
	}
	return did, err
}

// receive stores what a bank said as a callback that came over HTTP is stored:
// once, before the file counts as dealt with (I-21).
func (c *clerk) receive(ctx context.Context, account channels.Account, t bank.Told) error {
	_, _, err := c.store.ReceiveCallback(ctx, channels.Received{ID: c.store.Mint(id.Callback), Book: account.Book, Channel: bank.Name,
		ChannelAccount: account.ID, EventID: t.EventID, Subject: t.Subject, Reference: t.Reference, Outcome: t.Outcome, Body: t.Body,
		ReceivedAt: time.Now().UTC().Truncate(time.Microsecond)})
	if err != nil && fault.Of(err) == fault.KindInternal {
		return fault.Internal("what a bank said can't be stored", err)
	}
	return err
}
