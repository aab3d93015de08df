package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/store"
	"paysaga/store/migrations"
)

// templateLock keeps two test processes on one server from making the template at once.
const templateLock = 7_262_419_001

// makeTemplate migrates a database once per version of the migrations; tests are cloned from it. It is made under another
// name, so that a template is whole or absent.
func (s *server) makeTemplate() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	version, err := migrationsHash()
	if err != nil {
		return err
	}
	s.template = "paysaga_template_" + version
	conn, err := pgx.Connect(ctx, s.base.String())
	if err != nil {
		return err
	}
	defer conn.Close(ctx) // lets the lock go, too
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", templateLock); err != nil {
		return err
	}
	var stands bool
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", s.template).Scan(&stands)
	if err != nil || stands {
		return err
	}
	making := s.template + "_making"
	for _, sql := range []string{"DROP DATABASE IF EXISTS " + making + " WITH (FORCE)", "CREATE DATABASE " + making} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	if err := store.Migrate(ctx, s.url(making, nil), store.AppRole{Name: appRole, Password: appRole}); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "ALTER DATABASE "+making+" RENAME TO "+s.template)
	return err
}

func migrationsHash() (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(migrations.FS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(migrations.FS, path)
		sum.Write([]byte(path))
		sum.Write(text)
		return err
	})
	sum.Write([]byte(store.Grants))
	return hex.EncodeToString(sum.Sum(nil))[:16], err
}
