package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Ready is what the ready file tells others. It exists only while the whole
// stack is healthy, or after a kill -9 until the next start: check the pid.
type Ready struct {
	PID             int       `json:"pid"`
	PostgresURL     string    `json:"postgres_url"` // as paysaga_owner: migrations, test databases
	AppURL          string    `json:"app_url"`      // as paysaga_app: everything else
	TemporalAddress string    `json:"temporal_address"`
	Namespace       string    `json:"namespace"`
	UIURL           string    `json:"ui_url,omitempty"`
	StartedAt       time.Time `json:"started_at"`
}

func (r Ready) write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	// An external server's URLs carry its password.
	return writeAtomic(path, append(text, '\n'), 0o600)
}

func readReady(path string) (Ready, error) {
	var r Ready
	text, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return Ready{}, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

func removeReady(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
