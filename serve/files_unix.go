//go:build unix

package serve

import "syscall"

// mostConnections is the default of [Config.Connections]. The runtime has raised the limit of open files
// to what the system lets it have.
func mostConnections() int {
	const wanted = 20_000
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return wanted
	}
	return int(max(16, min(wanted, limit.Cur/4*3)))
}
