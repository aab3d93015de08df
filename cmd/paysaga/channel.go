package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/store"
)

// channelCommand groups what is done about accounts at channels.
type channelCommand struct {
	Add     channelAdd     `cmd:"" help:"Open an account at a payment channel: its credentials are sealed and stored."`
	List    channelList    `cmd:"" help:"List the accounts of a book: whose each is, who holds its funds, what is routed there."`
	Health  channelHealth  `cmd:"" help:"Show how the accounts of a book do: circuits, calls and failures of the last minute, as all processes see them."`
	Pause   channelPause   `cmd:"" help:"Route no new attempts to an account. What is open there goes on being asked about."`
	Drain   channelDrain   `cmd:"" help:"Pause an account, and say when nothing is open there any more."`
	Resume  channelResume  `cmd:"" help:"Route to a paused or drained account again."`
	Disable channelDisable `cmd:"" help:"Take an account out of service: plans no longer show it. What is open there, and refunds of what was charged there, go on."`
	Enable  channelEnable  `cmd:"" help:"Take a disabled account into service again."`
	Limits  channelLimits  `cmd:"" help:"Change the limits on calls at an account: at once, per second, time-outs, of all operations and of single ones."`
	Acts    channelActs    `cmd:"" help:"List what was done to an account, by whom and why."`
	Test    channelTest    `cmd:"" help:"Ask an account's channel something that moves nothing, and so find out whether its address and credentials work."`
}

// channelAdd takes credentials from a file or standard input only: flags are
// seen by everybody who lists processes.
type channelAdd struct {
	databaseConfig  `embed:""`
	Channel         string           `arg:"" enum:"${channels}" help:"The channel: ${channels}."`
	Book            string           `enum:"test,live,shadow" default:"test" help:"The book: test, live or shadow. A live account takes live payments only."`
	Merchant        string           `placeholder:"mer_…" help:"The merchant whose account it is. By default the platform's, open to every merchant of the book."`
	Credentials     string           `default:"-" placeholder:"FILE" help:"A JSON object with the account's credentials, - for standard input. ${credentials}."`
	BaseURL         string           `name:"base-url" placeholder:"URL" help:"The channel's address; by default its public one."`
	Lane            string           `enum:"express,standard" default:"standard" help:"express calls the channel inside the saga's own task: only for channels that answer within a second. standard is for all others."`
	Priority        int              `default:"100" help:"Which account is tried first: the smaller number."`
	Currencies      []string         `placeholder:"CNY,…" help:"The currencies of the account; by default all that the channel takes."`
	FundsHolder     string           `name:"funds-holder" enum:"platform,merchant,channel" default:"platform" help:"Who holds the money until it is settled: platform, merchant or channel."`
	CostBasisPoints int64            `name:"cost-basis-points" placeholder:"N" help:"What the channel takes of a payment, in hundredths of a percent: routing by cost asks for it."`
	CostFixed       map[string]int64 `name:"cost-fixed" placeholder:"CNY=10;…" help:"What it takes besides, in minor units by currency."`
	Limits          string           `placeholder:"JSON" help:"Limits on calls, per process: {\"at_once\":20,\"per_second\":50,\"timeout_ms\":8000,\"operations\":{\"refund\":{\"per_second\":5}}}. 'channel limits' changes them."`
	StatementZone   string           `name:"statement-zone" default:"UTC" help:"The time zone of the channel's statements."`
}

// Run opens the account and says where its callbacks go.
func (c *channelAdd) Run(a *app) error {
	credentials, err := c.credentials(a.in)
	if err != nil {
		return err
	}
	limits, err := readLimits(c.Limits)
	if err != nil {
		return err
	}
	s, err := openStore(a.ctx, c.databaseConfig)
	if err != nil {
		return err
	}
	defer s.Close()
	if c.Merchant != "" {
		if _, err := s.Merchant(a.ctx, id.Book(c.Book), c.Merchant); err != nil {
			return err
		}
	}
	account, err := s.AddChannelAccount(a.ctx, store.ChannelAccount{Book: id.Book(c.Book), Channel: c.Channel, MerchantID: c.Merchant,
		FundsHolder: c.FundsHolder, Currencies: c.Currencies, StatementZone: c.StatementZone, BaseURL: c.BaseURL,
		Credentials: credentials, Lane: payment.Lane(c.Lane), Priority: c.Priority, CostBasisPoints: c.CostBasisPoints, CostFixed: c.CostFixed, Limits: limits})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "channel account  %s\ncallbacks        PUBLIC_URL/v1/callbacks/%s/%s\n", account, c.Channel, account)
	return err
}

// credentials reads and checks them. No error quotes one (I-26).
func (c *channelAdd) credentials(in io.Reader) (map[string]string, error) {
	if c.Credentials != "-" {
		f, err := os.Open(c.Credentials)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	var m map[string]string
	if err := json.NewDecoder(io.LimitReader(in, 1<<16)).Decode(&m); err != nil {
		return nil, wrong("--credentials", "is not a JSON object of names and strings")
	}
	channel, err := registry().Get(c.Channel)
	if err != nil {
		return nil, err
	}
	if err := channel.Describe().CheckCredentials(m, id.Book(c.Book)); err != nil {
		return nil, wrong("--credentials", fault.As(err).Message)
	}
	return m, nil
}

// channelVars are what the help of this build says of its channels.
func channelVars() kong.Vars {
	r := registry()
	var lines []string
	for _, name := range r.Names() {
		var names []string
		for _, c := range r[name].Describe().Credentials {
			text := fmt.Sprintf("%q", c.Name)
			if !c.Required {
				text = "[" + text + "]"
			}
			names = append(names, text)
		}
		lines = append(lines, name+": "+strings.Join(names, ", "))
	}
	return kong.Vars{"channels": strings.Join(r.Names(), ","), "credentials": strings.Join(lines, "; ")}
}
