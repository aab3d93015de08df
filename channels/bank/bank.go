// Package bank is the adapter for a bank account that is run by files of ISO
// 20022: payouts and refunds leave as pain.001 by the bank's cut-off times, what
// becomes of them is read from pain.002 and camt.054, customers pay in by bank
// transfer under a creditor reference. docs/bank.md describes it.
//
// There is no server to ask. What the channel knows stands in a Folder, and a
// call only reads and writes there; Work, which runs beside the sagas, exchanges
// it with the bank.
package bank

import (
	"context"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

// Name is the channel's name in paths, queues and accounts.
const Name = payment.BankRail

// Channel is the adapter. It keeps nothing between calls.
type Channel struct {
	channels.Unsupported
	open func(path string) (Folder, error)
}

var _ channels.Channel = (*Channel)(nil)

// New returns the adapter; open opens the folder of an account by its path.
func New(open func(path string) (Folder, error)) *Channel { return &Channel{open: open} }

// Describe says what a bank account can do. It has no callbacks over HTTP: what
// the bank says is believed because of the folder that it stands in.
func (ch *Channel) Describe() channels.Description {
	return channels.Description{
		Name: Name,
		Operations: []channels.Operation{channels.OpCharge, channels.OpCancel, channels.OpAsk, channels.OpRefund, channels.OpAskRefund,
			channels.OpPayout, channels.OpAskPayout, channels.OpStatement, channels.OpProbe},
		Methods:     []payment.MethodType{payment.MethodBankTransfer},
		KeyLife:     0, // what was taken in is known for ever
		Statements:  []string{KindStatement, KindNotification},
		Credentials: credentials(),
	}
}

// desk is an account with its folder open.
type desk struct {
	settings
	Folder
	account string // cha_…
}

func (ch *Channel) desk(a channels.Account) (desk, error) {
	s, err := configured(a)
	if err != nil {
		return desk{}, err
	}
	f, err := ch.open(s.folder)
	return desk{settings: s, Folder: f, account: a.ID}, err
}

// Probe finds out whether the folder is there and can be written.
func (ch *Channel) Probe(ctx context.Context, a channels.Account) error {
	if _, err := configured(a); err != nil {
		return fault.Denied("credentials_wrong", "the account's settings are incomplete or wrong: docs/bank.md has them")
	}
	d, err := ch.desk(a)
	if err != nil {
		return err
	}
	err = d.Remove(ctx, "book/probe")
	if err == nil {
		err = d.Create(ctx, "book/probe", []byte("paysaga\n"))
	}
	for _, dir := range []string{Outbox, Inbox} {
		if err == nil {
			_, err = d.List(ctx, dir)
		}
	}
	if err == nil {
		err = d.Remove(ctx, "book/probe")
	}
	if err != nil && fault.Of(err) == fault.KindUnavailable {
		return err // it isn't there, or not now
	}
	if err != nil {
		return fault.Denied("folder_unusable", "the account's folder can't be written and read: it has to exist, and to belong to the user that paysaga runs as")
	}
	return nil
}
