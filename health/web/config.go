package web

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// Config of a server. The zero value means the defaults.
type Config struct {
	// Address to listen on, host and port. One that other machines reach needs
	// a Token or ClientCertificates. Defaults to 127.0.0.1:8080.
	Address string
	// FallbackPort lets a taken port be replaced by a free one.
	FallbackPort bool
	// Token that is asked for, of at least [MinToken] characters; empty for none.
	Token string
	// TLS of the server; nil for plain HTTP.
	TLS *tls.Config
	// ClientCertificates says that TLS verifies those of clients that show one,
	// and that whoever shows none needs the token.
	ClientCertificates bool
	// HeaderTimeout is how long a client may take to send a request's header.
	// Defaults to 5 s.
	HeaderTimeout time.Duration
	// MaxConnections are served at once; more wait. Defaults to 256.
	MaxConnections int
}

// Validate says what cannot be used.
func (c Config) Validate() error {
	c = c.withDefaults()
	host, _, err := net.SplitHostPort(c.Address)
	if err != nil {
		return fmt.Errorf("HTTP address %q: %w: give host:port", c.Address, err)
	}
	if c.Token != "" && len(c.Token) < MinToken {
		return fmt.Errorf("HTTP token has %d characters: give at least %d", len(c.Token), MinToken)
	}
	if c.ClientCertificates && c.TLS == nil {
		return errors.New("HTTP client certificates need TLS: give a certificate and a key")
	}
	if !c.guarded() && !isLoopback(host) {
		return fmt.Errorf("HTTP address %q %w", c.Address, ErrOpen)
	}
	if c.HeaderTimeout < 0 || c.MaxConnections < 0 {
		return errors.New("HTTP header timeout and connections: give more than 0")
	}
	return nil
}

// guarded is whether something is asked of who comes.
func (c Config) guarded() bool { return c.Token != "" || c.ClientCertificates }

func (c Config) withDefaults() Config {
	if c.Address == "" {
		c.Address = "127.0.0.1:8080"
	}
	if c.HeaderTimeout == 0 {
		c.HeaderTimeout = 5 * time.Second
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = 256
	}
	return c
}
