package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"paysaga/channels"
	"paysaga/domain/id"
	"paysaga/domain/routing"
	"paysaga/store"
)

type channelHealth struct {
	databaseConfig `embed:""`
	Book           string `enum:"test,live,shadow" default:"live" help:"The book: live, test or shadow."`
	JSON           bool   `help:"A JSON object per account and line."`
}

// accountHealth is how an account does, as JSON.
type accountHealth struct {
	Account  string            `json:"account"`
	Channel  string            `json:"channel"`
	Standing channels.Standing `json:"standing"`
	Circuit  string            `json:"circuit"`
	OpenedAt time.Time         `json:"opened_at,omitzero"`
	ProbeBy  string            `json:"probe_by,omitempty"`
	FailedAt time.Time         `json:"failed_at,omitzero"`
	Fault    string            `json:"fault,omitempty"`
	routing.Stats
	why string
}

// Run prints a line for each account that isn't disabled: what all processes together have seen of it within the last minute.
func (c *channelHealth) Run(a *app) error {
	s, err := openStore(a.ctx, c.databaseConfig)
	if err != nil {
		return err
	}
	defer s.Close()
	list, err := s.ChannelAccounts(a.ctx, id.Book(c.Book))
	if err != nil {
		return err
	}
	seen, err := s.Circuits(a.ctx, time.Time{})
	if err != nil {
		return err
	}
	circuits := map[string]routing.Breaker{}
	for _, w := range seen {
		circuits[w.Account] = w.Breaker
	}
	t := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	if !c.JSON {
		fmt.Fprintln(t, "ACCOUNT\tCHANNEL\tSTANDING\tCIRCUIT\tCALLS\tFAILED\tP95\tLAST FAILURE")
	}
	now := time.Now()
	for _, one := range list {
		if one.Standing == channels.Disabled {
			continue
		}
		h := healthOf(one, circuits[one.ID], now)
		if c.JSON {
			err = json.NewEncoder(a.out).Encode(h)
		} else {
			_, err = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\n", h.Account, h.Channel, h.why, h.circuit(now), h.Calls, h.Failures, slowest(h.Stats), h.failure(now))
		}
		if err != nil {
			return err
		}
	}
	return t.Flush()
}

func healthOf(a store.ListedAccount, b routing.Breaker, now time.Time) accountHealth {
	config := routing.BreakerConfig{} // as processes have it
	h := accountHealth{Account: a.ID, Channel: a.Channel, Standing: a.Standing, Circuit: "closed", OpenedAt: b.OpenedAt, ProbeBy: b.ProbeBy,
		FailedAt: b.FailedAt, Fault: b.Fault, Stats: b.Health(now, config).Stats, why: stands(a)}
	if state := b.State(now, config); state != routing.Closed {
		h.Circuit = string(state)
	}
	return h
}

// circuit is its state in words, and since when it isn't closed.
func (h accountHealth) circuit(now time.Time) string {
	switch {
	case h.OpenedAt.IsZero():
		return "closed"
	case h.ProbeBy != "":
		return fmt.Sprintf("half open since %s, probed by %s", ago(now, h.OpenedAt), h.ProbeBy)
	case h.Circuit == string(routing.HalfOpen):
		return "half open since " + ago(now, h.OpenedAt) + ": the next payment probes it"
	}
	return "open since " + ago(now, h.OpenedAt)
}

func (h accountHealth) failure(now time.Time) string {
	if h.FailedAt.IsZero() {
		return "-"
	}
	return h.Fault + ", " + ago(now, h.FailedAt) + " ago"
}

func ago(now, at time.Time) string { return now.Sub(at).Round(time.Second).String() }

// slowest is the 95th percentile, an upper bound of it.
func slowest(s routing.Stats) string {
	if s.Calls == 0 {
		return "-"
	}
	return "≤ " + s.P95.String()
}
