package serve

import (
	"net/netip"
	"sync"
	"time"
)

// maxGuesses is how many wrong tokens of one address wait at once. With the wait of 0.3 s, an address tries
// 27 a second: the shortest token, of 8 small letters, for 120 years on average.
const maxGuesses = 8

// guesses makes wrong tokens slow, and refuses what comes beside them from the same address before it looks
// at it: an answer at once would be worth as much to who guesses as one after a wait. Others are not kept
// waiting, nor is who has a cookie. How many addresses there are is bounded by the connections.
type guesses struct {
	mu      sync.Mutex
	waiting map[netip.Prefix]int // by address; none without a guess that waits
}

// verdict is what comes of a token.
type verdict int

const (
	right   verdict = iota
	wrong           // after the wait
	refused         // not looked at
)

// try looks whether a token is the one, for a client at addr ("192.0.2.1:80"). A wrong one takes wait, whether
// or not the client stays: who hangs up does not get another try for it.
func (g *guesses) try(addr string, is func() bool, wait time.Duration) verdict {
	from := neighbourhood(addr)
	g.mu.Lock()
	switch {
	case g.waiting[from] >= maxGuesses:
		g.mu.Unlock()
		return refused
	case is():
		g.mu.Unlock()
		return right
	}
	g.waiting[from]++
	g.mu.Unlock()
	time.Sleep(wait)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting[from]--; g.waiting[from] == 0 {
		delete(g.waiting, from)
	}
	return wrong
}

// neighbourhood is what of an address stands for one client: of IPv6 its network, in which a client takes
// what address it likes.
func neighbourhood(addr string) netip.Prefix {
	a, err := netip.ParseAddrPort(addr)
	if err != nil {
		return netip.Prefix{}
	}
	ip := a.Addr().Unmap().WithZone("")
	p, err := ip.Prefix(min(64, ip.BitLen()))
	if err != nil {
		panic(err) // the length is one of an address
	}
	return p
}
