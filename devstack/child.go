package main

import (
	"bytes"
	"os/exec"
	"runtime"
)

// child is a running process that the kernel ends when we end.
type child struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once the process has ended
	err  error         // why it ended; read after done
}

// startChild starts a command whose parent-death signal holds for as long as
// this process lives: the signal follows the thread that forked, not the
// process, so one thread is kept for each child until it ends.
func startChild(cmd *exec.Cmd) (*child, error) {
	c := &child{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread goes with the goroutine
		err := cmd.Start()
		started <- err
		if err == nil {
			c.err = cmd.Wait()
			close(c.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

// runChild runs a command to its end and returns all that it printed.
func runChild(cmd *exec.Cmd) (string, error) {
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	c, err := startChild(cmd)
	if err != nil {
		return "", err
	}
	<-c.done
	return text.String(), c.err
}
