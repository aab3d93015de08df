package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const symlinkList = "pg-symlinks.json" // stands in the package's native/ folder

// npmLocal looks where node would: in node_modules of the working folder and of each one above it.
func (f binaryFinder) npmLocal() []string {
	var dirs []string
	for dir := f.cwd; dir != ""; dir = filepath.Dir(dir) {
		dirs = append(dirs, nativeBin(filepath.Join(dir, "node_modules")))
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return dirs
}

func (f binaryFinder) npmGlobal() []string {
	root, err := f.output("npm", "root", "-g")
	if err != nil || root == "" {
		return nil
	}
	return []string{nativeBin(root)}
}

func nativeBin(nodeModules string) string {
	return filepath.Join(nodeModules, filepath.FromSlash(npmPackage()), "native", "bin")
}

// npmRootOf gives the package folder of a bin folder inside the npm package, else "".
func npmRootOf(binDir string) string {
	native := filepath.Dir(binDir)
	if _, err := os.Stat(filepath.Join(native, symlinkList)); err != nil {
		return ""
	}
	return filepath.Dir(native)
}

// linkLibraries makes the symbolic links that an npm archive cannot hold. The
// package's own postinstall script does the same, but npm 11 doesn't run it.
func linkLibraries(root string) error {
	text, err := os.ReadFile(filepath.Join(root, "native", symlinkList))
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(text, &links); err != nil {
		return fmt.Errorf("%s of %s: %w", symlinkList, root, err)
	}
	for _, l := range links {
		if !filepath.IsLocal(l.Source) || !filepath.IsLocal(l.Target) || !strings.HasPrefix(l.Target, "native/") {
			return fmt.Errorf("%s of %s leads out of the package: %s", symlinkList, root, l.Target)
		}
		relative, err := filepath.Rel(filepath.Dir(l.Target), l.Source)
		if err != nil {
			return err
		}
		err = os.Symlink(relative, filepath.Join(root, l.Target))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("cannot complete the npm package: %w", err)
		}
	}
	return nil
}
