package serve

import (
	"net"
	"strconv"
)

// Addresses are those to open: of a listener on all of this machine's, that for this machine itself,
// and then those for others.
func Addresses(at net.Addr) []string {
	tcp, ok := at.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return []string{at.String()}
	}
	port := strconv.Itoa(tcp.Port)
	all := []string{net.JoinHostPort("127.0.0.1", port)}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return all
	}
	for _, a := range own {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			all = append(all, net.JoinHostPort(n.IP.String(), port))
		}
	}
	return all
}
