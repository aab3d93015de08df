package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/store"
)

type channelList struct {
	databaseConfig `embed:""`
	Book           string `enum:"test,live,shadow" default:"test" help:"The book: test, live or shadow."`
	Channel        string `placeholder:"NAME" help:"Only this channel's accounts."`
	Merchant       string `placeholder:"mer_…" help:"Only those that this merchant may be paid over."`
	JSON           bool   `help:"A JSON object per account and line."`
}

// Run prints a line for each account. Credentials are never opened for it.
func (c *channelList) Run(a *app) error {
	s, err := openStore(a.ctx, c.databaseConfig)
	if err != nil {
		return err
	}
	defer s.Close()
	list, err := s.ChannelAccounts(a.ctx, id.Book(c.Book))
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	if !c.JSON {
		fmt.Fprintln(t, "ACCOUNT\tCHANNEL\tOWNER\tFUNDS\tLANE\tPRIORITY\tCURRENCIES\tSINCE\tSTANDING")
	}
	for _, one := range list {
		if (c.Channel != "" && one.Channel != c.Channel) || (c.Merchant != "" && one.MerchantID != "" && one.MerchantID != c.Merchant) {
			continue
		}
		if c.JSON {
			if err := json.NewEncoder(a.out).Encode(one); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", one.ID, one.Channel, cmp.Or(one.MerchantID, "platform"), one.FundsHolder, one.Lane,
			one.Priority, cmp.Or(strings.Join(one.Currencies, ","), "all"), one.CreatedAt.Format(time.DateOnly), stands(one))
	}
	return t.Flush()
}

// stands is an account's standing, with why.
func stands(a store.ListedAccount) string {
	if a.Reason == "" {
		return string(a.Standing)
	}
	return string(a.Standing) + ": " + a.Reason
}

type channelTest struct {
	databaseConfig `embed:""`
	Account        string        `arg:"" placeholder:"cha_…" help:"The account, from 'channel list'."`
	Timeout        time.Duration `default:"10s" help:"How long to wait for the channel's answer."`
}

// Run asks once. What is wrong is said with what to do about it; the exit code is 1 then.
func (c *channelTest) Run(a *app) error {
	s, err := openStore(a.ctx, c.databaseConfig)
	if err != nil {
		return err
	}
	defer s.Close()
	if !id.Is(id.ChannelAccount, c.Account) {
		return wrong("ACCOUNT", "is not the id of a channel account, cha_…")
	}
	account, err := s.AccountByID(a.ctx, c.Account)
	if err != nil {
		return err
	}
	channel, err := registry().Get(account.Channel)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(a.ctx, c.Timeout)
	defer stop()
	began := time.Now()
	err = channel.Probe(ctx, account)
	if fault.Is(err, fault.KindInvalid, "operation_unsupported") {
		return fmt.Errorf("%s can't be asked anything that moves nothing; its credentials are well-formed, which says little", account.Channel)
	}
	if err == nil {
		_, err = fmt.Fprintf(a.out, "%s  %s answers, in %s, and takes the credentials. No money was moved.\n", account.ID, account.Channel,
			time.Since(began).Round(time.Millisecond))
		return err
	}
	return errors.New(account.Channel + ": " + advice(err))
}

// advice is a failed probe in words, without what the channel itself wrote.
func advice(err error) string {
	f := fault.As(err)
	switch f.Kind {
	case fault.KindDenied:
		return f.Message
	case fault.KindUnavailable:
		return f.Message + ". Check the account's address, and whether a firewall lets this machine out"
	case fault.KindUnknown:
		return f.Message + ". It was reached but didn't answer as it should: check that the address is the channel's own"
	}
	return f.Message
}
