package main

import (
	"fmt"
	"net/url"
	"text/tabwriter"

	"github.com/alecthomas/kong"
)

// configCommand prints the settings of all commands.
type configCommand struct{}

// Run prints them, one per line: variable, value, where it comes from.
func (configCommand) Run(a *app) error {
	t := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "SETTING\tVALUE\tFROM")
	for _, f := range allSettings(a.model) {
		value, source := a.settings.lookup(variable(f.Value))
		if source == "" {
			value, source = f.Default, "default"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", variable(f.Value), masked(f.Value, value), source)
	}
	return t.Flush()
}

// masked hides what is secret (I-26).
func masked(v *kong.Value, value string) string {
	if value == "" {
		return "-"
	}
	switch v.Tag.Get("secret") {
	case "":
		return value
	case "url":
		if u, err := url.Parse(value); err == nil && u.Scheme != "" && u.Opaque == "" && !u.Query().Has("password") {
			return u.Redacted()
		}
	}
	return "******"
}
