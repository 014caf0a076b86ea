package testbed

import (
	"testing"

	"github.com/tickstock/tickstream/pipeline/testbed/proxy"
)

// Proxy is a TCP proxy on loopback that a test can break. Unlike [Wire] it
// also stands between two processes.
type Proxy = proxy.Proxy

// StartProxy forwards to target, a host and port, until the test ends.
func StartProxy(tb testing.TB, target string) *Proxy {
	tb.Helper()
	p, err := proxy.Start(target)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.Close)
	return p
}
