//go:build race

package indexes

const raceEnabled = true
