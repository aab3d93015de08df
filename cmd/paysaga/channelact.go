package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"paysaga/bench/gauge"
	"paysaga/channels"
	"paysaga/domain/id"
	"paysaga/store"
)

// accountAct is what an operator says to a channel account.
type accountAct struct {
	databaseConfig `embed:""`
	decision       `embed:""`
	Account        string `arg:"" placeholder:"cha_…" help:"The account, from 'channel list'."`
}

// do carries the act out, and leaves the store open for what follows.
func (c *accountAct) do(a *app, act channels.Act) (*store.Store, error) {
	if !id.Is(id.ChannelAccount, c.Account) {
		return nil, wrong("ACCOUNT", "is not the id of a channel account, cha_…")
	}
	s, err := openStore(a.ctx, c.databaseConfig)
	if err != nil {
		return nil, err
	}
	by, err := c.by(a.ctx, s)
	if err == nil {
		var after channels.Standing
		if after, err = s.ActOnAccount(a.ctx, c.Account, act, by); err == nil {
			fmt.Fprintf(a.out, "%s is %s; every process hears of it within %s\n", c.Account, after, heard)
		}
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// heard is how long processes believe what they know of accounts (store.Config.CacheFor), and as long again for what was planned by it.
const heard = 10 * time.Second

func (c *accountAct) run(a *app, act channels.Act) error {
	s, err := c.do(a, act)
	if err == nil {
		s.Close()
	}
	return err
}

type channelPause struct {
	accountAct `embed:""`
}

// Run pauses.
func (c *channelPause) Run(a *app) error { return c.run(a, channels.Pause) }

type channelResume struct {
	accountAct `embed:""`
}

// Run resumes.
func (c *channelResume) Run(a *app) error { return c.run(a, channels.Resume) }

type channelDisable struct {
	accountAct `embed:""`
}

// Run disables.
func (c *channelDisable) Run(a *app) error { return c.run(a, channels.Disable) }

type channelEnable struct {
	accountAct `embed:""`
}

// Run enables.
func (c *channelEnable) Run(a *app) error { return c.run(a, channels.Enable) }

type channelDrain struct {
	accountAct `embed:""`
	Every      time.Duration `default:"2s" help:"How often to look."`
	Wait       time.Duration `default:"10s" help:"How long to wait before the first look, so that every process has heard of it."`
}

// Run drains: it may be interrupted and begun again at any time, the account stays as it is.
func (c *channelDrain) Run(a *app) error {
	err := c.drain(a)
	if errors.Is(err, context.Canceled) && a.ctx.Err() != nil {
		return errors.New("interrupted: the account stays draining; begin again to see what is open there")
	}
	return err
}

func (c *channelDrain) drain(a *app) error {
	s, err := c.do(a, channels.Drain)
	if err != nil {
		return err
	}
	defer s.Close()
	account, err := s.AccountByID(a.ctx, c.Account)
	if err != nil {
		return err
	}
	if err := pause(a, c.Wait); err != nil {
		return err
	}
	screen := terminal(a.err)
	open, err := s.OpenAtAccount(a.ctx, account.Book, c.Account, func(n int) {
		if screen != nil {
			fmt.Fprintf(screen, "\r\x1b[Kreading: %d rows", n)
		}
	})
	if screen != nil {
		fmt.Fprint(screen, "\r\x1b[K")
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "open at %s: %d payments, %d refunds, %d payouts\n", c.Account, len(open.Payments), len(open.Refunds), len(open.Payouts))
	bar := gauge.NewBar(terminal(a.err), open.Len())
	defer bar.End()
	for {
		left, err := s.StillOpen(a.ctx, account.Book, c.Account, open)
		if err != nil {
			return err
		}
		bar.Reach(open.Len()-left, "are settled")
		if left == 0 {
			bar.End()
			_, err := fmt.Fprintf(a.out, "%s is drained: nothing is open there any more\n", c.Account)
			return err
		}
		if err := pause(a, c.Every); err != nil {
			return fmt.Errorf("%d are open still; the account stays draining", left)
		}
	}
}

// pause waits, or says that it was interrupted.
func pause(a *app, d time.Duration) error {
	select {
	case <-a.ctx.Done():
		return a.ctx.Err()
	case <-time.After(d):
		return nil
	}
}

type channelLimits struct {
	accountAct `embed:""`
	Limits     string `arg:"" placeholder:"JSON" help:"As in 'channel add --limits'; {} lifts them all."`
}

// Run replaces the limits.
func (c *channelLimits) Run(a *app) error {
	limits, err := readLimits(c.Limits)
	if err != nil {
		return err
	}
	s, err := openStore(a.ctx, c.databaseConfig)
	if err != nil {
		return err
	}
	defer s.Close()
	by, err := c.by(a.ctx, s)
	if err != nil {
		return err
	}
	if err := s.LimitAccount(a.ctx, c.Account, limits, by); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "%s has these limits; every process hears of it within %s\n", c.Account, heard)
	return err
}

// readLimits reads strict JSON: a misspelt limit would hold nothing back.
func readLimits(text string) (limits channels.Limits, err error) {
	if text == "" {
		return limits, nil
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&limits); err != nil {
		return limits, wrong("limits", "can't be read: "+err.Error())
	}
	return limits, limits.Check()
}

type channelActs struct {
	databaseConfig `embed:""`
	Account        string `arg:"" placeholder:"cha_…" help:"The account, from 'channel list'."`
}

// Run prints a line for each act.
func (c *channelActs) Run(a *app) error {
	s, err := openStore(a.ctx, c.databaseConfig)
	if err != nil {
		return err
	}
	defer s.Close()
	list, err := s.AccountActs(a.ctx, c.Account)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "AT\tACT\tBY\tREASON")
	for _, one := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", one.At.UTC().Format(time.RFC3339), one.Act, one.By, one.Reason)
	}
	return t.Flush()
}
