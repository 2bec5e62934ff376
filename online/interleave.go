// Package online compares two rankings by what people do with them: it mixes or assigns them, keeps impressions and
// clicks in a log, and says what the log shows, with intervals that hold however often one looks.
//
// It knows no indexes and no HTTP: package serve shows the lists and takes the clicks. What vectors say about
// rankings is packages metric's and judge's business.
package online

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	mathrand "math/rand/v2"
	"slices"
	"time"
)

// The teams of an interleaved list: who put an item there.
const (
	TeamA = 'A'
	TeamB = 'B'
	// NoTeam marks an item that one ranking put there after the other had no more. It earns no credit: the other
	// had no chance.
	NoTeam = '-'
)

// Interleave mixes rankings a and b into one list of at most k items, by team draft (Radlinski, Kurup and Joachims,
// How does clickthrough data reflect retrieval quality?, CIKM 2008, algorithm 2): in each round both rankings put
// their best item that is not there yet, in an order drawn by rng. teams has a byte for each item of the list.
//
// The rankings hold different items, each none twice. Clicks on items of a team are votes for its ranking; users who
// click at random vote for both alike, whatever their habits about positions are.
func Interleave(a, b []int, k int, rng *mathrand.Rand) (list []int, teams []byte) {
	list, teams = make([]int, 0, k), make([]byte, 0, k)
	next := func(ranking []int) []int {
		for len(ranking) > 0 && slices.Contains(list, ranking[0]) { // lists are short
			ranking = ranking[1:]
		}
		return ranking
	}
	put := func(item int, team byte) {
		list, teams = append(list, item), append(teams, team)
	}
	votesA, votesB := 0, 0
	for len(list) < k {
		a, b = next(a), next(b)
		switch {
		case len(a) == 0 && len(b) == 0:
			return list, teams
		case len(b) == 0:
			put(a[0], NoTeam)
		case len(a) == 0:
			put(b[0], NoTeam)
		case votesA < votesB || votesA == votesB && rng.IntN(2) == 0:
			put(a[0], TeamA)
			votesA++
		default:
			put(b[0], TeamB)
			votesB++
		}
	}
	return list, teams
}

// Key signs impressions, and decides arms. Whoever has it can invent clicks.
type Key []byte

// NewKey draws one.
func NewKey() Key {
	k := make(Key, 32)
	_, _ = rand.Read(k) // it never fails
	return k
}

func (k Key) sum(what string, b []byte) []byte {
	m := hmac.New(sha256.New, k)
	m.Write([]byte(what))
	m.Write([]byte{0})
	m.Write(b)
	return m.Sum(nil)
}

// Session is the name under which the log has a session: nobody without the key can tell whose it is.
func (k Key) Session(secret string) string {
	return hex.EncodeToString(k.sum("session", []byte(secret))[:8])
}

// Arm is the arm of a session, 0 or 1: always the same one for an experiment of that name, and independent of that of
// another name.
func (k Key) Arm(session, experiment string) int {
	return int(k.sum("arm "+experiment, []byte(session))[0] & 1)
}

// An impression's id in bytes: chance, the second in which it was shown, the number of its items, and the signature.
const (
	idChance = 10
	idBody   = idChance + 4 + 1
	idSum    = 16
)

// Impression makes the id of a list of that many items, at most 255, shown at that time to that session.
func (k Key) Impression(session string, items int, at time.Time) string {
	id := make([]byte, idChance, idBody+idSum)
	_, _ = rand.Read(id)
	id = binary.BigEndian.AppendUint32(id, uint32(at.Unix()))
	id = append(id, byte(items))
	id = append(id, k.sum("impression "+session, id)[:idSum]...)
	return base64.RawURLEncoding.EncodeToString(id)
}

// ErrForged says that an id was not given to this session by this server.
var ErrForged = errors.New("no list was shown with this id")

// ErrOld says that the list was shown too long ago.
var ErrOld = errors.New("the list was shown too long ago")

// MaxAge is how long an impression takes clicks.
const MaxAge = 24 * time.Hour

// Check reads an id: how many items the list had. The error is ErrForged or ErrOld.
func (k Key) Check(id, session string, now time.Time) (items int, err error) {
	b, err := base64.RawURLEncoding.DecodeString(id)
	// An id is written in one way: the decoder overlooks the ends of lines, and bits of the last character.
	if err != nil || len(b) != idBody+idSum || base64.RawURLEncoding.EncodeToString(b) != id || !hmac.Equal(k.sum("impression "+session, b[:idBody])[:idSum], b[idBody:]) {
		return 0, ErrForged
	}
	at := time.Unix(int64(binary.BigEndian.Uint32(b[idChance:])), 0)
	// A list of the future was shown before the clock was set back: it is signed, so it was shown.
	if age := now.Sub(at); age.Abs() > MaxAge {
		return 0, ErrOld
	}
	return int(b[idBody-1]), nil
}
