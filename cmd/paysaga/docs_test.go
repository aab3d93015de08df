package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
)

// documents are all pages for people.
func documents(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../devstack/*.md"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, path := range found {
			raw, err := os.ReadFile(path)
			require.NoError(t, err)
			pages[path] = string(raw)
		}
	}
	require.Greater(t, len(pages), 5)
	return pages
}

var (
	inline     = regexp.MustCompile("`([^`\n]+)`")
	makeTarget = regexp.MustCompile(`(?m)^make ([a-z-]+)`)
	ourCommand = regexp.MustCompile(`(?m)^(?:\.build/)?paysaga ((?:[a-z][a-z-]* ?)+)(.*)`)
	longFlag   = regexp.MustCompile(`--([a-z-]+)`)
)

// code is what a page shows as code, a line each.
func code(page string) string {
	var lines []string
	for i, part := range strings.Split(page, "```") {
		if i%2 == 1 {
			lines = append(lines, part)
			continue
		}
		for _, m := range inline.FindAllStringSubmatch(part, -1) {
			lines = append(lines, m[1])
		}
	}
	return strings.Join(lines, "\n")
}

// A page that tells of a command that isn't there is worse than none.
func TestThePagesTellOfCommandsThatStand(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../../Makefile")
	require.NoError(t, err)
	seen := 0
	for path, page := range documents(t) {
		text := code(page)
		for _, m := range makeTarget.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(string(makefile), "\n"+m[1]+":") && m[1] != "campaign-" {
				t.Errorf("%s: there is no `make %s`", path, m[1])
			}
		}
		for _, m := range ourCommand.FindAllStringSubmatch(text, -1) {
			seen++
			node := modelOf(t).Node
			for _, word := range strings.Fields(m[1]) {
				i := slices.IndexFunc(node.Children, func(n *kong.Node) bool { return n.Name == word })
				if i < 0 {
					break // an argument
				}
				node = node.Children[i]
			}
			if node.Type == kong.ApplicationNode && !strings.HasPrefix(m[1], "help") {
				t.Errorf("%s: there is no %q", path, m[0])
				continue
			}
			for _, f := range longFlag.FindAllStringSubmatch(m[2], -1) {
				has := func(flag *kong.Flag) bool { return flag.Name == f[1] || slices.Contains(flag.Aliases, f[1]) }
				if !slices.ContainsFunc(slices.Concat(node.AllFlags(false)...), has) {
					t.Errorf("%s: %q has no --%s", path, m[0], f[1])
				}
			}
		}
	}
	require.Greater(t, seen, 8, "the pages show commands")
}

// Every make target is explained by `make help`.
func TestEveryMakeTargetIsExplained(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../../Makefile")
	require.NoError(t, err)
	targets := regexp.MustCompile(`(?m)^\.PHONY: ([a-z-]+)\n([a-z-]+):[^\n]*`).FindAllStringSubmatch(string(makefile), -1)
	require.Greater(t, len(targets), 8)
	for _, m := range targets {
		require.Equal(t, m[1], m[2])
		require.Regexp(t, ` ## \w.+`, m[0])
	}
}
