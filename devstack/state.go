package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// choices are what a first start chose and every later one keeps: workers and
// open tabs find a restarted stack where it was.
type choices struct {
	PostgresPort int `json:"postgres_port,omitempty"`
	TemporalPort int `json:"temporal_port,omitempty"`
	UIPort       int `json:"ui_port,omitempty"`
	HistoryPort  int `json:"history_port,omitempty"`
	MatchingPort int `json:"matching_port,omitempty"`
	WorkerPort   int `json:"worker_port,omitempty"`
}

func choicesPath(stateDir string) string { return filepath.Join(stateDir, "choices.json") }

func loadChoices(stateDir string) (choices, error) {
	var c choices
	text, err := os.ReadFile(choicesPath(stateDir))
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return choices{}, fmt.Errorf("%s is not readable (%w): delete it, it only holds port numbers", choicesPath(stateDir), err)
	}
	return c, nil
}

func (c choices) save(stateDir string) error {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return writeAtomic(choicesPath(stateDir), append(text, '\n'), 0o644)
}

// choosePorts claims every port of the stack; it remembers what it chose.
func choosePorts(cfg Config, book *portBook) (choices, error) {
	old, err := loadChoices(cfg.StateDir)
	if err != nil {
		return choices{}, err
	}
	next := old // a part that is left out this time keeps its port
	type slot struct {
		wantedPort
		old int
		to  *int
	}
	slots := []slot{
		{wantedPort{"temporal-port", cfg.TemporalPort}, old.TemporalPort, &next.TemporalPort},
		{wantedPort{}, old.HistoryPort, &next.HistoryPort},
		{wantedPort{}, old.MatchingPort, &next.MatchingPort},
		{wantedPort{}, old.WorkerPort, &next.WorkerPort},
	}
	if cfg.DatabaseURL == "" {
		slots = append(slots, slot{wantedPort{"postgres-port", cfg.PostgresPort}, old.PostgresPort, &next.PostgresPort})
	}
	if !cfg.NoUI {
		slots = append(slots, slot{wantedPort{"ui-port", cfg.UIPort}, old.UIPort, &next.UIPort})
	}
	for _, s := range slots {
		if *s.to, err = book.choose(s.wantedPort, s.old); err != nil {
			return choices{}, err
		}
	}
	return next, next.save(cfg.StateDir)
}

// writeAtomic leaves either the old file or the whole new one, also after a crash.
func writeAtomic(path string, text []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it is renamed, as it should
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
