package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The databases and roles of a stack. Temporal's belong to the administrator;
// paysaga's to a role that migrates it and is used for nothing else.
const (
	temporalDB   = "temporal"
	visibilityDB = "temporal_visibility"
	paysagaDB    = "paysaga"
	ownerRole    = "paysaga_owner" // may create databases: tests clone templates
	appRole      = "paysaga_app"   // owns nothing; migrations grant it what it needs
)

// database is the PostgreSQL server of a stack, ours or an external one.
type database struct {
	admin    url.URL // of the administrator; the path is replaced per database
	external bool
}

// externalDatabase accepts a postgres:// URL. Errors never show its password.
func externalDatabase(text string) (database, error) {
	const help = "DATABASE_URL must look like postgres://user:password@host:5432/postgres"
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return database{}, errors.New(help)
	}
	if u.User.Username() == "" || (u.Host == "" && u.Query().Get("host") == "") {
		return database{}, errors.New(help + " (user or host is missing)")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/postgres"
	}
	return database{admin: *u, external: true}, nil
}

func (d database) name() string {
	return fmt.Sprintf("user %s at %s", d.admin.User.Username(), d.address())
}

// address is host:port; an external URL may leave the port out.
func (d database) address() string {
	host, port := d.admin.Hostname(), d.admin.Port()
	if host == "" {
		host = "localhost" // overridden by the query's host: a socket folder
	}
	if port == "" {
		port = "5432"
	}
	return host + ":" + port
}

func (d database) adminURL(name string) string {
	u := d.admin
	if name != "" {
		u.Path = "/" + name
	}
	return u.String()
}

// roleURL addresses paysaga's database as one of our two roles. On an external
// server that asks for passwords, both have the administrator's.
func (d database) roleURL(role string) string {
	u := d.admin
	u.Path = "/" + paysagaDB
	u.User = url.User(role)
	if password, given := d.admin.User.Password(); given {
		u.User = url.UserPassword(role, password)
	}
	return u.String()
}

// prepare makes roles and databases that are missing and changes none of the data in them.
func (d database) prepare(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, d.adminURL(""))
	if err != nil {
		return d.explain("connect", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var version int
	if err := conn.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		return d.explain("read the version", err)
	}
	if version/10000 < oldestMajor {
		return fmt.Errorf("the server of DATABASE_URL is PostgreSQL %d; %d is the oldest that works", version/10000, oldestMajor)
	}
	if err := d.checkExtension(ctx, conn); err != nil {
		return err
	}
	if err := d.makeRole(ctx, conn, ownerRole, "LOGIN CREATEDB"); err != nil {
		return err
	}
	if err := d.makeRole(ctx, conn, appRole, "LOGIN"); err != nil {
		return err
	}
	for _, name := range []string{temporalDB, visibilityDB} {
		if err := d.makeDatabase(ctx, conn, name, ""); err != nil {
			return err
		}
	}
	if err := d.makeDatabase(ctx, conn, paysagaDB, ownerRole); err != nil {
		return err
	}
	return d.proveRoles(ctx)
}

// proveRoles logs in as both roles: on a shared server they may have been made
// by somebody else, with another password.
func (d database) proveRoles(ctx context.Context) error {
	for _, role := range []string{ownerRole, appRole} {
		conn, err := pgx.Connect(ctx, d.roleURL(role))
		if err != nil {
			return d.explainRole(role, err)
		}
		if err := conn.Close(ctx); err != nil {
			return err
		}
	}
	return nil
}

// checkExtension looks for what Temporal's visibility schema needs before
// anything is made: some packagings keep it in a package of its own.
func (d database) checkExtension(ctx context.Context, conn *pgx.Conn) error {
	var found bool
	err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'btree_gin')").Scan(&found)
	if err != nil {
		return d.explain("list extensions", err)
	}
	if !found {
		return errors.New("this PostgreSQL lacks the extension btree_gin: install its contrib package (postgresql-contrib)")
	}
	return nil
}

func (d database) makeRole(ctx context.Context, conn *pgx.Conn, role, may string) error {
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role).Scan(&exists); err != nil {
		return d.explain("list roles", err)
	}
	if exists {
		return nil // its password is as it was: an external server may be shared
	}
	sql := fmt.Sprintf("CREATE ROLE %s %s", role, may)
	if password, given := d.admin.User.Password(); given {
		sql += " PASSWORD " + quoteLiteral(password)
	}
	if _, err := conn.Exec(ctx, sql); err != nil {
		return d.explain("create the role "+role, err)
	}
	return nil
}

func (d database) makeDatabase(ctx context.Context, conn *pgx.Conn, name, owner string) error {
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&exists); err != nil {
		return d.explain("list databases", err)
	}
	if exists {
		return nil
	}
	sql := fmt.Sprintf("CREATE DATABASE %s TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'", name)
	if owner != "" {
		// Who isn't a superuser can give a database only to a role that they are a member of.
		if _, err := conn.Exec(ctx, fmt.Sprintf("GRANT %s TO CURRENT_USER", owner)); err != nil {
			return d.explain("become a member of "+owner, err)
		}
		sql += " OWNER " + owner
	}
	if _, err := conn.Exec(ctx, sql); err != nil {
		return d.explain("create the database "+name, err)
	}
	return nil
}

func (d database) explainRole(role string, err error) error {
	var refused *pgconn.PgError
	if errors.As(err, &refused) && d.external {
		return fmt.Errorf("role %s cannot log in to database %s (%s): give it the password of DATABASE_URL, with ALTER ROLE %s LOGIN PASSWORD",
			role, paysagaDB, refused.Message, role)
	}
	return fmt.Errorf("role %s cannot log in to database %s: %w", role, paysagaDB, err)
}

func (d database) explain(what string, err error) error {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		const insufficientPrivilege = "42501"
		if refused.Code == insufficientPrivilege && d.external {
			return fmt.Errorf("%s may not %s: the user of DATABASE_URL needs CREATEDB and CREATEROLE (or unset DATABASE_URL to let devstack run its own server)", d.name(), what)
		}
		return fmt.Errorf("%s cannot %s: %s", d.name(), what, refused.Message)
	}
	return fmt.Errorf("%s cannot %s: %w", d.name(), what, err) // pgx keeps passwords out of its errors
}

// storeConnections splits the server's connections over Temporal's four
// services, each with a pool for either store, and leaves room for paysaga.
func storeConnections(maxConnections int) (main, visibility int) {
	const forPaysaga = 40
	perService := max((maxConnections-forPaysaga)/4, 4)
	return min(perService*3/4, 32), min(max(perService/4, 2), 12)
}

func (d database) maxConnections(ctx context.Context) (int, error) {
	conn, err := pgx.Connect(ctx, d.adminURL(""))
	if err != nil {
		return 0, d.explain("connect", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var text string
	if err := conn.QueryRow(ctx, "SHOW max_connections").Scan(&text); err != nil {
		return 0, d.explain("read max_connections", err)
	}
	return strconv.Atoi(text)
}

// quoteLiteral is for CREATE ROLE, which takes no parameters.
func quoteLiteral(s string) string {
	return " E'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}
