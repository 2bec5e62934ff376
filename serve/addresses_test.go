package serve

import (
	"net"
	"strings"
	"testing"
)

// TestAddresses has addresses that a browser can open, also of a listener on all addresses.
func TestAddresses(t *testing.T) {
	one := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}
	if got := Addresses(one); len(got) != 1 || got[0] != "127.0.0.1:80" {
		t.Errorf("of %s: %v", one, got)
	}
	for _, ip := range []net.IP{net.IPv4zero, net.IPv6unspecified} {
		got := Addresses(&net.TCPAddr{IP: ip, Port: 80})
		if got[0] != "127.0.0.1:80" {
			t.Errorf("the first of %v is not this machine's own", got)
		}
		for _, a := range got {
			if host, _, err := net.SplitHostPort(a); err != nil || net.ParseIP(host).IsUnspecified() || strings.HasPrefix(host, "fe80") {
				t.Errorf("%q cannot be opened: %v", a, err)
			}
		}
	}
}
