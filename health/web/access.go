package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// ErrOpen comes from [Config.Validate] for an address that other machines reach
// while nothing is asked of who comes.
var ErrOpen = errors.New("is open to other machines and asks nothing of who comes")

// MinToken is the length of the shortest token that is taken.
const MinToken = 16

// probes are open to all: whoever runs a container asks them without secrets,
// and they tell nothing but whether it lives.
var probes = []string{"/healthz", "/readyz"}

// access decides who may see what is behind it.
type access struct {
	cfg      Config
	sessions sessions
	refused  rate.Sometimes
	next     http.Handler
	log      *slog.Logger
}

func newAccess(cfg Config, next http.Handler, log *slog.Logger) *access {
	return &access{
		cfg: cfg, sessions: sessions{key: []byte(cfg.Token)}, next: next, log: log,
		refused: rate.Sometimes{Interval: time.Minute},
	}
}

func (a *access) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case slices.Contains(probes, r.URL.Path):
		a.next.ServeHTTP(w, r)
	case !a.cfg.guarded():
		// A name of somebody else's that leads to loopback is how a page in a
		// browser would read what only this machine may see.
		if !isLoopback(hostOf(r.Host)) {
			http.Error(w, "asked for by a name that is not this machine's own: use http://localhost or 127.0.0.1, or set a token", http.StatusForbidden)
			return
		}
		a.next.ServeHTTP(w, r)
	case a.known(r):
		a.next.ServeHTTP(w, r)
	case a.cfg.Token != "" && a.signIn(w, r):
	default:
		a.ask(w, r)
	}
}

// known is whether the request carries what is asked for.
func (a *access) known(r *http.Request) bool {
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return true
	}
	if a.cfg.Token == "" {
		return false
	}
	if given, ok := bearer(r); ok {
		return a.matches(r, given)
	}
	return a.sessions.holds(r, time.Now())
}

func bearer(r *http.Request) (token string, ok bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "bearer")
}

// matches compares in a time that tells nothing, not even the token's length.
func (a *access) matches(r *http.Request, given string) bool {
	want, got := sha256.Sum256([]byte(a.cfg.Token)), sha256.Sum256([]byte(given))
	if subtle.ConstantTimeCompare(want[:], got[:]) == 1 {
		return true
	}
	a.refused.Do(func() {
		a.log.Warn("a wrong token was given for the status page", "from", hostOf(r.RemoteAddr))
	})
	return false
}

// hostOf is an address without its port, if it has one.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return strings.Trim(address, "[]")
}

// isLoopback is whether only this machine reaches a host.
func isLoopback(host string) bool {
	if host = strings.TrimSuffix(strings.ToLower(host), "."); host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}
