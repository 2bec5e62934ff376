//go:build !unix

package serve

// mostConnections is the default of [Config.Connections].
func mostConnections() int { return 10_000 }
