package main

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestABookLeavesAsFiles(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	path := filepath.Join(b.dir, "book.journal")
	require.Eventually(t, func() bool { // what was written just now becomes final
		b.does("", "export", "hledger", "--out", path)
		text, err := os.ReadFile(path)
		return err == nil && strings.Contains(string(text), "CNY 0.00 = CNY 0.10")
	}, 20*time.Second, 50*time.Millisecond)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(text), ") transfer  ; number:"))
	require.Contains(t, b.does("opening balances", "export", "hledger", "--from", time.Now().UTC().Format(time.DateOnly), "--by", "booking"), "CNY 0.05")

	rows, err := csv.NewReader(strings.NewReader(b.does("number,", "export", "csv"))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 1+4)
	rows, err = csv.NewReader(strings.NewReader(b.does("debit,credit", "export", "csv", "--balances", "--to", b.old.Format(time.DateOnly)))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 1+2)
	require.Equal(t, "0.05", rows[1][5]+rows[1][6])

	for _, args := range [][]string{{"--from", "yesterday"}, {"--to", "2999-01-01"}, {"--book", "none"}, {"--from", "2026-02-01", "--to", "2026-01-01"}} {
		code, _, errs := b.run(append([]string{"export", "csv"}, args...)...)
		require.NotZero(t, code, args)
		require.NotEmpty(t, errs)
	}
}

func TestAccountsAreListedAndManaged(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	out := b.does("income/fees", "account", "list")
	require.Contains(t, out, "CNY 0.10")
	var fees string
	for _, line := range strings.Split(out, "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[1] == "income/fees" {
			fees = f[0]
		}
	}
	operator, _, err := readKey(b.keys)
	require.NoError(t, err)
	code, _, errs := b.run("account", "close", fees, "--operator", operator, "--reason", "no longer used")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "account_not_empty")
	code, _, errs = b.run("account", "hot", fees, "--operator", "opr_nobody", "--reason", "busy")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "not_found")
	b.does(fees+" is hot", "account", "hot", fees, "--operator", operator, "--reason", "every payment posts to it")
	require.Contains(t, b.does("hot", "account", "list", "--code", "income/"), "CNY 0.10")
}
