package statements

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// releaseBinary lets go of the pages of the program's own file, so that what comes back is what is used from here on. They are read-only and
// the file's: one that is touched again is mapped again.
func releaseBinary() {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	raw, _ := os.ReadFile("/proc/self/maps")
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		if len(f) != 6 || f[5] != program || strings.Contains(f[1], "w") {
			continue
		}
		var from, to uintptr
		if _, err := fmt.Sscanf(f[0], "%x-%x", &from, &to); err == nil {
			_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED) // where it fails the figures are no less
		}
	}
}
