package gauge

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of /proc: Linux shows 1/100 s to programs, whatever the
// kernel counts in.
const tick = 10 * time.Millisecond

// Process is one of this machine's, as /proc shows it.
type Process struct {
	Parent     int
	Own, Ended time.Duration // CPU time; Ended: of its children that are gone
}

// Processes reads what /proc says of all processes. Where there is none, it is
// empty.
func Processes() map[int]Process {
	all := map[int]Process{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is right
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // it has just ended
		}
		pid, _ := strconv.Atoi(strings.Split(file, "/")[2])
		// The name, in brackets, may hold anything; the fields count from behind it.
		_, rest, _ := strings.Cut(string(raw[strings.LastIndexByte(string(raw), ')'):]), " ")
		f := strings.Fields(rest)
		if len(f) < 15 {
			continue
		}
		number := func(i int) time.Duration { n, _ := strconv.Atoi(f[i]); return time.Duration(n) * tick }
		parent, _ := strconv.Atoi(f[1])
		all[pid] = Process{Parent: parent, Own: number(11) + number(12), Ended: number(13) + number(14)}
	}
	return all
}

// Descendants are the processes below one.
func Descendants(all map[int]Process, of int) (list []int) {
	for pid, p := range all {
		if p.Parent == of {
			list = append(append(list, pid), Descendants(all, pid)...)
		}
	}
	return list
}
