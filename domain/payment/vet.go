package payment

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"paysaga/domain/money"
)

// The longest texts that are taken from a channel.
const (
	maxChannelID = 255
	maxCode      = 64
	maxReason    = 200
	maxAction    = 4096
)

// Vetted returns o as it can be stored, shown and computed with, whatever a
// channel made of it: a verdict outside of the contract is Unknown, a currency
// that isn't one is empty, and so is every text that a database or a page could
// choke on. Amounts stay as they came, even below zero: that they differ from
// what was meant is for Settle to find.
func (o Outcome) Vetted() Outcome {
	switch o.Verdict {
	case Succeeded, Authorized, Declined, Pending, Unknown, Absent, Closed:
	default:
		o = Outcome{Verdict: Unknown, ChannelID: o.ChannelID, Reason: "the channel's answer has no verdict that we know"}
	}
	o.Dead = o.Verdict == Closed || (o.Dead && o.Verdict == Declined) // nothing else is proof of it
	o.Approved = o.Approved && o.Verdict == Pending
	if _, err := money.ParseCurrency(o.Currency); err != nil {
		o.Currency = ""
	}
	if !plain(o.ChannelID, maxChannelID) {
		o.ChannelID = ""
	}
	if !plain(o.Reason, maxReason) {
		o.Reason = "the channel's reason can't be shown"
	}
	if o.Decline != nil {
		d := *o.Decline
		if !isCode(d.Code) {
			d.Code = "declined"
		}
		if !plain(d.Channel, maxCode) {
			d.Channel = ""
		}
		o.Decline = &d
	}
	if o.Action != nil && !o.Action.showable() {
		o.Action = nil
	}
	o.ExpiresAt, o.EffectiveAt = vetTime(o.ExpiresAt), vetTime(o.EffectiveAt)
	return o
}

// showable: a page may be told to draw it, or to go there.
func (a Action) showable() bool {
	size := len(a.URL)
	for name, value := range a.Parameters {
		if size += len(name) + len(value); !plain(name, maxCode) || !plain(value, maxAction) {
			return false
		}
	}
	if size == 0 || size > maxAction || !plain(a.URL, maxAction) {
		return false
	}
	switch a.Type {
	case ActionQR:
		return a.URL != ""
	case ActionRedirect:
		return strings.HasPrefix(a.URL, "https://") || strings.HasPrefix(a.URL, "http://")
	case ActionSDK, ActionBankTransfer:
		return len(a.Parameters) > 0
	}
	return false
}

// plain: valid UTF-8 of at most limit bytes, no control characters.
func plain(text string, limit int) bool {
	return len(text) <= limit && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// isCode: snake_case, as our own codes are.
func isCode(text string) bool {
	return text != "" && len(text) <= maxCode && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// vetTime drops what JSON can't carry or no payment of ours can mean.
func vetTime(t time.Time) time.Time {
	if y := t.UTC().Year(); y < 2000 || y > 9998 {
		return time.Time{}
	}
	return t
}
