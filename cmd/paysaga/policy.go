package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/refund"
)

// merchantPolicy shows and sets a merchant's policies for exceptions.
type merchantPolicy struct {
	databaseConfig `embed:""`
	Merchant       string   `arg:"" placeholder:"mer_…" help:"The merchant."`
	Set            []string `arg:"" optional:"" placeholder:"KIND=WORD[:DURATION:WORD]" help:"What happens by itself: late_success=return, partial_payment=wait:72h:return, or amount_mismatch=ask:48h:return. docs/exceptions.md says what fits which kind. refund_parts=channel_first or pro_rata: how refunds of payments in two parts are divided. auto_withdraw=CNY:10.00 or off: what is paid out of users' wallets by itself after a settlement, from so much on. Cases that are open keep the policy they were opened under."`
	Book           string   `enum:"test,live,shadow" default:"test" help:"The book: test, live or shadow."`
}

// Run sets what is given, and shows what holds then.
func (c *merchantPolicy) Run(a *app) error {
	policies, parts := exception.Policies{}, ""
	var withdraw []money.Amount
	for _, text := range c.Set {
		if how, ok := strings.CutPrefix(text, "refund_parts="); ok {
			if !refund.ValidParts(how) {
				return wrong(text, "must be refund_parts=channel_first or refund_parts=pro_rata")
			}
			parts = how
			continue
		}
		if from, ok := strings.CutPrefix(text, "auto_withdraw="); ok {
			amount, err := readWithdraw(from)
			if err != nil {
				return err
			}
			withdraw = append(withdraw, amount)
			continue
		}
		kind, policy, err := readPolicy(text)
		if err != nil {
			return err
		}
		policies[kind] = policy
	}
	s, err := openStore(a.ctx, c.databaseConfig)
	if err != nil {
		return err
	}
	defer s.Close()
	book := id.Book(c.Book)
	if len(policies) > 0 {
		if err := s.SetCasePolicies(a.ctx, book, c.Merchant, policies); err != nil {
			return err
		}
	}
	if parts != "" {
		if err := s.SetRefundParts(a.ctx, book, c.Merchant, parts); err != nil {
			return err
		}
	}
	for _, from := range withdraw {
		if err := s.SetAutoWithdraw(a.ctx, book, c.Merchant, from); err != nil {
			return err
		}
	}
	m, err := s.Merchant(a.ctx, book, c.Merchant)
	if err != nil {
		return err
	}
	for _, kind := range exception.Kinds() {
		p := m.Terms.Policies.Of(kind)
		line := string(p.Do)
		if p.After > 0 {
			line += ", after " + p.After.String() + " " + string(p.Then)
		}
		if _, err := fmt.Fprintf(a.out, "%-18s %s\n", kind, line); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(a.out, "%-18s %s\n", "refund_parts", cmp.Or(m.Terms.RefundParts, refund.ChannelFirst))
	return err
}

// readWithdraw reads "CNY:10.00"; "off" is zero.
func readWithdraw(text string) (money.Amount, error) {
	if text == "off" {
		return money.Amount{}, nil
	}
	name, amount, _ := strings.Cut(text, ":")
	currency, err := money.ParseCurrency(name)
	if err != nil {
		return money.Amount{}, wrong("auto_withdraw="+text, "must be like auto_withdraw=CNY:10.00, or auto_withdraw=off")
	}
	from, err := money.ParsePositive(amount, currency)
	if err != nil {
		return from, wrong("auto_withdraw="+text, fault.As(err).Message)
	}
	return from, nil
}

// readPolicy reads "partial_payment=wait:72h:return".
func readPolicy(text string) (exception.Kind, exception.Policy, error) {
	kind, words, _ := strings.Cut(text, "=")
	parts := strings.Split(words, ":")
	p := exception.Policy{Do: exception.Decision(parts[0])}
	var err error
	if len(parts) == 3 {
		p.After, err = time.ParseDuration(parts[1])
		p.Then = exception.Decision(parts[2])
	}
	if err != nil || (len(parts) != 1 && len(parts) != 3) {
		return "", p, wrong(text, "must be like late_success=return or partial_payment=wait:72h:return")
	}
	if err := p.Check(exception.Kind(kind)); err != nil {
		return "", p, wrong(text, fault.As(err).Message)
	}
	return exception.Kind(kind), p, nil
}
