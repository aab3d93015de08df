package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/blang/semver/v4"
	"github.com/jackc/pgx/v5"
	"go.temporal.io/server/common/log"
	v12 "go.temporal.io/server/schema/postgresql/v12"
)

// temporalSchema is one of Temporal's two databases and the schema it needs,
// which comes embedded in the server's own module.
type temporalSchema struct {
	database, assets, version string
}

var temporalSchemas = []temporalSchema{
	{temporalDB, "postgresql/v12/temporal", v12.Version},
	{visibilityDB, "postgresql/v12/visibility", v12.VisibilityVersion},
}

// Rows of these tables live for seconds, so the dead ones pile up at the default pace.
var busyTables = []string{
	"executions", "current_executions", "history_node", "history_tree", "timer_tasks", "transfer_tasks",
	"visibility_tasks", "tasks", "tasks_v2", "task_queues", "task_queues_v2", "buffered_events", "shards",
}

// setUpSchemas brings both databases to this server's version. It may be
// repeated at any point, and does nothing when they are there already.
func setUpSchemas(ctx context.Context, d database, lg log.Logger) error {
	for _, s := range temporalSchemas {
		current, err := s.current(ctx, d)
		if err != nil {
			return err
		}
		if current == s.version {
			continue
		}
		if newer(current, s.version) {
			return fmt.Errorf("database %s has Temporal schema v%s, made by a newer server than this one (v%s): update devstack, or choose another --state",
				s.database, current, s.version)
		}
		if err := s.update(ctx, d, lg); err != nil {
			return fmt.Errorf("cannot update Temporal's schema in database %s: %w", s.database, err)
		}
	}
	return tuneVacuum(ctx, d)
}

// current is "" in a database without a schema.
func (s temporalSchema) current(ctx context.Context, d database) (string, error) {
	conn, err := pgx.Connect(ctx, d.adminURL(s.database))
	if err != nil {
		return "", d.explain("connect to database "+s.database, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT to_regclass('schema_version') IS NOT NULL").Scan(&exists); err != nil || !exists {
		return "", err
	}
	var version string
	err = conn.QueryRow(ctx, "SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = $1", s.database).Scan(&version)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", d.explain("read Temporal's schema version", err)
	}
	return version, nil
}

func (s temporalSchema) update(ctx context.Context, d database, lg log.Logger) error {
	conn, err := pgx.Connect(ctx, d.adminURL(s.database))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return s.inOneTransaction(ctx, conn, lg)
}

func newer(current, ours string) bool {
	c, errC := semver.ParseTolerant(current)
	o, errO := semver.ParseTolerant(ours)
	return errC == nil && errO == nil && c.GT(o)
}

// tuneVacuum sets what differs only: an ALTER TABLE on every start would wait for busy tables.
func tuneVacuum(ctx context.Context, d database) error {
	conn, err := pgx.Connect(ctx, d.adminURL(temporalDB))
	if err != nil {
		return d.explain("connect to database "+temporalDB, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	rows, err := conn.Query(ctx, "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname = ANY($1) AND reloptions IS NULL", busyTables)
	if err != nil {
		return d.explain("list Temporal's tables", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return d.explain("list Temporal's tables", err)
	}
	for _, name := range names {
		sql := fmt.Sprintf("ALTER TABLE %s SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0)",
			pgx.Identifier{name}.Sanitize())
		if _, err := conn.Exec(ctx, sql); err != nil {
			return d.explain("tune table "+name, err)
		}
	}
	return nil
}
