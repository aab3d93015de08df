package main

import (
	"context"
	"fmt"
	"log/slog"

	"paysaga/store"
)

// migrateCommand connects as the owner of the tables, like the moving of months.
type migrateCommand struct {
	ownerConfig `embed:""`
	AppRole     string `name:"app-role" setting:"PAYSAGA_APP_ROLE" default:"paysaga_app" help:"The role that everything else connects as. It gets no right to change or delete what was booked."`
	AppPassword string `name:"app-password" setting:"PAYSAGA_APP_PASSWORD" secret:"all" placeholder:"TEXT" help:"The password the role is made with, if it doesn't exist yet."`
	logConfig   `embed:""`
}

// Run migrates. A database that is still starting is waited for.
func (c *migrateCommand) Run(a *app) error {
	if err := c.ownerConfig.check(); err != nil {
		return err
	}
	if err := migrate(a.ctx, c.logger(a.err, "migrate"), c.OwnerURL, store.AppRole{Name: c.AppRole, Password: c.AppPassword}); err != nil {
		return err
	}
	_, err := fmt.Fprintln(a.out, "the database has this build's schema")
	return err
}

func migrate(ctx context.Context, log *slog.Logger, url string, role store.AppRole) error {
	return retry(ctx, log, "PostgreSQL", func(ctx context.Context) error { return store.Migrate(ctx, url, role) })
}
