package main

import (
	"strings"
	"testing"
)

func TestExternalDatabase(t *testing.T) {
	t.Parallel()
	d, err := externalDatabase("postgres://me:s3cret@db.example/?sslmode=require")
	if err != nil {
		t.Fatal(err)
	}
	if got := d.address(); got != "db.example:5432" {
		t.Errorf("address %q", got)
	}
	if got := d.adminURL(temporalDB); got != "postgres://me:s3cret@db.example/temporal?sslmode=require" {
		t.Errorf("administrator %q", got)
	}
	if got := d.roleURL(appRole); got != "postgres://paysaga_app:s3cret@db.example/paysaga?sslmode=require" {
		t.Errorf("role %q", got)
	}
	if strings.Contains(d.name(), "s3cret") {
		t.Error("the name goes into messages, and shows the password")
	}
	sql := stores(d, 300)(visibilityDB)
	if sql.ConnectAttributes["sslmode"] != "require" || sql.Password != "s3cret" || sql.DatabaseName != visibilityDB {
		t.Errorf("Temporal's store: %+v", sql)
	}
}

func TestExternalDatabaseRefusals(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"host=db user=me", "mysql://me@db/x", "postgres://db:5432/x", "postgres://me@/x", "postgres://me:s3cret%zz@db/x"} {
		_, err := externalDatabase(text)
		if err == nil || !strings.Contains(err.Error(), "DATABASE_URL must look like") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := externalDatabase("postgres://me@/x?host=/run/postgresql"); err != nil {
		t.Error("a socket folder: ", err)
	}
}

func TestStoreConnectionsLeaveRoom(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{100, 200, 300, 1000} {
		forMain, forVisibility := storeConnections(limit)
		if total := 4 * (forMain + forVisibility); total > limit-40 || forMain < 4 || forVisibility < 2 {
			t.Errorf("max_connections %d: %d and %d for each of 4 services", limit, forMain, forVisibility)
		}
	}
}

func TestQuoteLiteral(t *testing.T) {
	t.Parallel()
	if got := quoteLiteral(`a'b\c`); got != ` E'a\'b\\c'` {
		t.Errorf("got %s", got)
	}
}

func TestSchemaVersionOrder(t *testing.T) {
	t.Parallel()
	if !newer("1.20", "1.19") || newer("1.9", "1.19") || newer("", "1.19") || newer("1.19", "1.19") {
		t.Error("versions compare by number")
	}
}
