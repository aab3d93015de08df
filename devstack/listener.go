package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// listenerOf names the process that listens on a TCP port ("pid 12 (postgres)"),
// or "" if this user may not see it. Linux only, for an error message only.
func listenerOf(port int) string {
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		if inode := listeningInode(table, port); inode != "" {
			if pid := socketOwner(inode); pid != "" {
				name, _ := os.ReadFile(filepath.Join("/proc", pid, "comm"))
				return fmt.Sprintf("pid %s (%s)", pid, strings.TrimSpace(string(name)))
			}
		}
	}
	return ""
}

func listeningInode(table string, port int) string {
	f, err := os.Open(table)
	if err != nil {
		return ""
	}
	defer f.Close()
	const stateListen = "0A"
	suffix := ":" + fmt.Sprintf("%04X", port)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) > 9 && fields[3] == stateListen && strings.HasSuffix(fields[1], suffix) {
			return fields[9]
		}
	}
	return ""
}

func socketOwner(inode string) string {
	want := "socket:[" + inode + "]"
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && target == want {
			pid := strings.Split(link, "/")[2]
			if _, err := strconv.Atoi(pid); err == nil {
				return pid
			}
		}
	}
	return ""
}
