package main

import (
	"fmt"

	"paysaga/channels/sandbox/server"
)

// sandboxCommand runs the sandbox channel. docs/sandbox.md describes it.
type sandboxCommand struct {
	Address     string   `name:"sandbox-address" setting:"PAYSAGA_SANDBOX_ADDRESS" default:":8090" help:"Where the sandbox listens, host:port."`
	Book        string   `name:"sandbox-book" setting:"PAYSAGA_SANDBOX_BOOK" default:".paysaga/sandbox" placeholder:"FOLDER" help:"The folder of the sandbox's own book. Empty text: memory only."`
	PublicURL   string   `name:"sandbox-url" setting:"PAYSAGA_SANDBOX_URL" placeholder:"URL" help:"How customers reach its payment pages; by default as the caller did."`
	Secrets     []string `name:"sandbox-secrets" setting:"PAYSAGA_SANDBOX_SECRETS" secret:"all" placeholder:"TEXT,…" help:"The secrets of its accounts. By default every secret is an account."`
	logConfig   `embed:""`
	childConfig `embed:""`
}

// Run serves the sandbox until a signal comes.
func (c *sandboxCommand) Run(a *app) error {
	if err := checkAddress("PAYSAGA_SANDBOX_ADDRESS", c.Address); err != nil {
		return err
	}
	return c.whileParentLives(a, func(a *app) error {
		s, err := server.New(server.Config{Addr: c.Address, Dir: c.Book, Secrets: c.Secrets, PublicURL: c.PublicURL, Logger: c.logger(a.err, "sandbox")})
		if err != nil {
			return fmt.Errorf("the sandbox's book can't be opened: %w", err)
		}
		return s.Run(a.ctx)
	})
}
