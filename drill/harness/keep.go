package harness

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// How a campaign ends before its end: it found a broken promise, or somebody stopped it.
var (
	ErrBroken  = errors.New("a promise was broken")
	ErrStopped = errors.New("stopped; run it again to go on from here")
)

// ReadJSON reads a file into v; without a file v stays.
func ReadJSON(path string, v any) error {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, v)
}

// WriteJSON replaces a file in one move, and makes its folder if need be.
func WriteJSON(path string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil {
		err = os.WriteFile(path+".new", append(raw, '\n'), 0o644)
	}
	if err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// HashOf is the SHA-256 of a file, in hex: whether it is the same binary that was tried before.
func HashOf(path string) (string, error) {
	raw, err := os.ReadFile(path)
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), err
}

// Self is the hash of the binary that runs: what a campaign tried counts as long as it is the same.
func Self() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	return HashOf(path)
}

// Commit is what the working tree is of, with a + if it was changed since.
func Commit() string {
	head, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	text := strings.TrimSpace(string(head))
	if changed, err := exec.Command("git", "status", "--porcelain", "--untracked-files=no").Output(); err != nil || len(changed) > 0 {
		text += "+"
	}
	return text
}

// Machine is what the result was made on.
func Machine() string {
	return fmt.Sprintf("%s/%s, %d cores", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
}
