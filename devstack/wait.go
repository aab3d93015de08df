package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// wait returns once the stack of a state folder is ready, and prints its ready file.
func wait(args []string, out io.Writer) error {
	fs := flag.NewFlagSet("devstack wait", flag.ContinueOnError)
	fs.SetOutput(out)
	state := fs.String("state", ".paysaga", "the stack's state `folder`")
	file := fs.String("ready-file", "", "its ready file (default STATE/devstack.json)")
	if err := setFromEnv(fs, os.Getenv); err != nil {
		return err
	}
	timeout := fs.Duration("timeout", time.Minute, "how long to wait")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if *file == "" {
		*file = filepath.Join(*state, "devstack.json")
	}
	if !waitUntil(*timeout, func() bool { return isReady(*file) }) {
		return fmt.Errorf("no stack is ready after %s (no live process behind %s)", *timeout, *file)
	}
	text, err := os.ReadFile(*file)
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	return err
}

// isReady reports that the ready file stands and the process that wrote it lives.
func isReady(path string) bool {
	r, err := readReady(path)
	if err != nil || r.PID <= 0 {
		return false
	}
	err = syscall.Kill(r.PID, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
