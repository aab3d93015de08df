package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/tools/common/schema"
)

// schemaTx lets Temporal's schema tool work inside one transaction. On its own
// it commits statement by statement, and a kill in between leaves a schema that
// it cannot go on from.
type schemaTx struct {
	ctx      context.Context // the tool's interface has none
	tx       pgx.Tx
	database string
}

var _ schema.DB = (*schemaTx)(nil)

// inOneTransaction brings a database from any finished version to this server's, or leaves it as it was.
func (s temporalSchema) inOneTransaction(ctx context.Context, conn *pgx.Conn, lg log.Logger) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		db := &schemaTx{ctx: ctx, tx: tx, database: s.database}
		if err := schema.NewSetupSchemaTask(db, &schema.SetupConfig{InitialVersion: "0.0"}, lg).Run(); err != nil {
			return err
		}
		return schema.NewUpdateSchemaTask(db, &schema.UpdateConfig{DBName: s.database, SchemaName: s.assets}, lg).Run()
	})
}

// Exec runs one statement, or without parameters several in one text. CONCURRENTLY
// can't stand in a transaction, and has no point before the server is started.
func (t *schemaTx) Exec(stmt string, args ...any) error {
	stmt = strings.ReplaceAll(stmt, " INDEX CONCURRENTLY ", " INDEX ")
	if len(args) == 0 {
		args = []any{pgx.QueryExecModeSimpleProtocol}
	}
	_, err := t.tx.Exec(t.ctx, stmt, args...)
	return err
}

// The version tables are those of Temporal's own tool, which can go on from here.
func (t *schemaTx) CreateSchemaVersionTables() error {
	return t.Exec(`CREATE TABLE IF NOT EXISTS schema_version (
		version_partition INT NOT NULL, db_name VARCHAR(255) NOT NULL, creation_time TIMESTAMP,
		curr_version VARCHAR(64), min_compatible_version VARCHAR(64), PRIMARY KEY (version_partition, db_name));
	CREATE TABLE IF NOT EXISTS schema_update_history (
		version_partition INT NOT NULL, year INT NOT NULL, month INT NOT NULL, update_time TIMESTAMP NOT NULL,
		description VARCHAR(255), manifest_md5 VARCHAR(64), new_version VARCHAR(64), old_version VARCHAR(64),
		PRIMARY KEY (version_partition, year, month, update_time))`)
}

func (t *schemaTx) ReadSchemaVersion() (string, error) {
	var version string
	err := t.tx.QueryRow(t.ctx, "SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = $1", t.database).Scan(&version)
	return version, err
}

func (t *schemaTx) UpdateSchemaVersion(version, oldestCompatible string) error {
	return t.Exec(`INSERT INTO schema_version (version_partition, db_name, creation_time, curr_version, min_compatible_version)
		VALUES (0, $1, $2, $3, $4)
		ON CONFLICT (version_partition, db_name) DO UPDATE SET creation_time = excluded.creation_time,
			curr_version = excluded.curr_version, min_compatible_version = excluded.min_compatible_version`,
		t.database, time.Now().UTC(), version, oldestCompatible)
}

func (t *schemaTx) WriteSchemaUpdateLog(old, version, manifestMD5, description string) error {
	now := time.Now().UTC()
	return t.Exec(`INSERT INTO schema_update_history (version_partition, year, month, update_time, old_version, new_version, manifest_md5, description)
		VALUES (0, $1, $2, $3, $4, $5, $6, $7)`,
		now.Year(), int(now.Month()), now, old, version, manifestMD5, description)
}

// DropAllTables is part of the interface only: nothing here ever drops a schema.
func (t *schemaTx) DropAllTables() error { return errors.New("devstack never drops a schema") }

func (t *schemaTx) Close() {}

func (t *schemaTx) Type() string { return "sql" }
