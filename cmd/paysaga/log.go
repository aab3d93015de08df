package main

import (
	"io"
	"log/slog"
)

// logConfig is how a process logs: to standard error, one line per entry.
type logConfig struct {
	Level  string `name:"log-level" setting:"PAYSAGA_LOG_LEVEL" enum:"debug,info,warn,error" default:"info" help:"The least level that is logged: debug, info, warn or error."`
	Format string `name:"log-format" setting:"PAYSAGA_LOG_FORMAT" enum:"json,text" default:"json" help:"The form of a log line: json or text."`
}

// logger writes to out. Each line carries the process's role.
func (c logConfig) logger(out io.Writer, role string) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // one of the enum
	o := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewJSONHandler(out, o)
	if c.Format == "text" {
		h = slog.NewTextHandler(out, o)
	}
	return slog.New(h).With("role", role)
}
