package main

import (
	"crypto/tls"
	"errors"

	"github.com/tickstock/tickstream/health/web"
	"github.com/urfave/cli/v3"
)

// httpOff is the address of a role that serves nothing.
const httpOff = "off"

// httpFlags are those of the status page.
func httpFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "http", Sources: env("http"), Category: categoryHealth, Value: "127.0.0.1:8080",
			Usage:     "`ADDRESS` of the status page, /health, /metrics, /healthz, /readyz and /debug/pprof/; off loopback it needs a token or client certificates",
			Validator: validAddress},
	}, guardFlagsOf(categoryHealth)...)
}

// roleHTTPFlags are those of a role that has no page. Its address has a variable
// of its own: roles may share their other settings, and a machine.
func roleHTTPFlags(role, address, category string) []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "http", Sources: env(role, "http"), Category: category, Value: address,
			Usage: "`ADDRESS` of /metrics, /healthz, /readyz and /debug/pprof/, or off; off loopback it needs a token or client certificates",
			Validator: func(address string) error {
				if address == httpOff {
					return nil
				}
				return validAddress(address)
			}},
	}, guardFlagsOf(category)...)
}

// guardFlagsOf are those of who may come in, the same for all roles.
func guardFlagsOf(category string) []cli.Flag {
	file := func(name, usage string) cli.Flag {
		return &cli.StringFlag{Name: name, Sources: env(name), Usage: usage, TakesFile: true, Category: category}
	}
	return []cli.Flag{
		&cli.StringFlag{Name: "http-token", Sources: secretFromEnv("TICKSTREAM_HTTP_TOKEN"), Category: category,
			Usage: "`TOKEN` that the status page asks for; better given by its variable, or in a file that TICKSTREAM_HTTP_TOKEN_FILE names"},
		file("http-cert", "PEM `FILE` of the status page's certificate, for https"),
		file("http-key", "PEM `FILE` of the certificate's key"),
		file("http-client-ca", "PEM `FILE` of the authority whose client certificates may see the status page"),
	}
}

// httpConfigOf reads the flags of the status page.
func httpConfigOf(cmd *cli.Command) (web.Config, error) {
	// The default address gives way to a free port; one that was asked for does not.
	cfg := web.Config{Address: cmd.String("http"), FallbackPort: !cmd.IsSet("http"), Token: cmd.String("http-token")}
	files := tlsFiles{CA: cmd.String("http-client-ca"), Cert: cmd.String("http-cert"), Key: cmd.String("http-key")}
	if !files.empty() {
		if files.Cert == "" || files.Key == "" {
			return web.Config{}, usageErrorf("--http-client-ca, --http-cert, --http-key (TICKSTREAM_HTTP_CLIENT_CA, …_CERT, …_KEY): https needs both a certificate and its key: give --http-cert and --http-key")
		}
		cfg.TLS, cfg.ClientCertificates = files.server(), files.CA != ""
		if _, err := files.serving(); err != nil {
			return web.Config{}, usageErrorf("--http-client-ca, --http-cert, --http-key (TICKSTREAM_HTTP_CLIENT_CA, …_CERT, …_KEY): %w", err)
		}
	}
	switch err := cfg.Validate(); {
	case errors.Is(err, web.ErrOpen):
		return web.Config{}, flagErrorf(cmd, "http", "is %s, which other machines reach: set a token in TICKSTREAM_HTTP_TOKEN or TICKSTREAM_HTTP_TOKEN_FILE, ask for client certificates by --http-client-ca, or listen on 127.0.0.1", cfg.Address)
	case err != nil:
		return web.Config{}, explainSettings(cmd, err)
	}
	return cfg, nil
}

// server is the TLS of a server that reads its files at each connection.
func (f tlsFiles) server() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return f.serving() },
	}
}

// serving is what a server offers now. The certificate of a client is welcome
// and no must, so that probes come without.
func (f tlsFiles) serving() (*tls.Config, error) {
	pair, err := f.pair()
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}}
	if f.CA != "" {
		if cfg.ClientCAs, err = f.pool(); err != nil {
			return nil, err
		}
		cfg.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return cfg, nil
}
