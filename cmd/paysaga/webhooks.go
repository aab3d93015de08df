package main

import (
	"net/netip"
	"strings"

	"paysaga/webhook"
)

// webhookConfig is where merchants' endpoints may be. The API judges URLs by it, and workers each try.
type webhookConfig struct {
	Ports         []uint16 `name:"webhook-ports" setting:"PAYSAGA_WEBHOOK_PORTS" default:"443" placeholder:"PORT,…" help:"The ports that merchants' endpoints may have."`
	AllowNetworks []string `name:"webhook-allow-networks" setting:"PAYSAGA_WEBHOOK_ALLOW_NETWORKS" placeholder:"CIDR,…" help:"Networks that endpoints may be in although they aren't public: for merchants inside one's own network. By default none."`
	DenyNetworks  []string `name:"webhook-deny-networks" setting:"PAYSAGA_WEBHOOK_DENY_NETWORKS" placeholder:"CIDR,…" help:"Networks that no endpoint may be in although they are public: one's own addresses, a NAT64 prefix of one's own."`
	Plaintext     bool     `name:"webhook-plaintext" setting:"PAYSAGA_WEBHOOK_PLAINTEXT" help:"Let endpoints begin with http://, for a development machine."`
}

// sender makes the one sender of a process.
func (c webhookConfig) sender() (*webhook.Sender, error) {
	allow, err := networks("PAYSAGA_WEBHOOK_ALLOW_NETWORKS", c.AllowNetworks)
	if err != nil {
		return nil, err
	}
	deny, err := networks("PAYSAGA_WEBHOOK_DENY_NETWORKS", c.DenyNetworks)
	if err != nil {
		return nil, err
	}
	return webhook.New(webhook.Config{Ports: c.Ports, AllowNetworks: allow, DenyNetworks: deny, AllowPlaintext: c.Plaintext})
}

func (c webhookConfig) check() error {
	_, err := c.sender()
	return err
}

func networks(name string, texts []string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, text := range texts {
		p, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil || p.Addr().Is4In6() {
			return nil, wrong(name, "holds what is not a network like 10.1.0.0/16")
		}
		list = append(list, p.Masked())
	}
	return list, nil
}
