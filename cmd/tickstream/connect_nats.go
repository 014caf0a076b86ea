package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/urfave/cli/v3"
)

const defaultNATSURL = nats.DefaultURL

// natsConfig is how to reach NATS, as the flags of [natsFlags] say.
type natsConfig struct {
	// URL is one server or several, comma-separated.
	URL string
	// Creds is a credentials file, NKey a file with an nkey seed; JWT and Seed are
	// what a credentials file holds.
	Creds, NKey, JWT, Seed string
	// InboxPrefix of replies. Defaults to _INBOX.<user of the URL>, which is
	// what a server that keeps its users' inboxes apart allows.
	InboxPrefix string
	// TLS files; giving one turns TLS on.
	TLS      tlsFiles
	TLSFirst bool // before the server says anything
	// Context is where all of this comes from, if not from flags.
	Context string
	// Target is set for the flags of [natsTargetFlags], which errors name.
	Target bool
	// err is why the settings cannot be used.
	err error
}

// setting names a flag and its variable: "" is the URL, "-creds" the credentials.
func (c natsConfig) setting(suffix string) string {
	variable := strings.ToUpper(strings.ReplaceAll(suffix, "-", "_"))
	switch {
	case c.Context != "":
		return "--context " + c.Context + ": " + cmp.Or(strings.TrimPrefix(suffix, "-"), "url")
	case c.Target:
		return "--to-nats" + suffix + " (TICKSTREAM_REPLAY_TO_NATS" + variable + ")"
	case suffix == "":
		return "--nats (NATS_URL)"
	}
	return "--nats" + suffix + " (TICKSTREAM_NATS" + variable + ")"
}

// natsFlags are the flags of a command that speaks NATS, with fallback as the
// URL's default.
func natsFlags(fallback string) []cli.Flag {
	file := func(name, usage string) cli.Flag {
		return &cli.StringFlag{Name: name, Sources: env(name), Usage: usage, TakesFile: true, Category: categoryConnection}
	}
	return []cli.Flag{
		&cli.StringFlag{
			Name: "nats", Sources: secretFromEnv("NATS_URL"), Value: fallback, Category: categoryConnection,
			Usage: "NATS `URL` (nats://user:password@host:4222, tls://…), several comma-separated",
		},
		contextFlag(),
		file("nats-creds", "NATS credentials `FILE`"),
		file("nats-nkey", "`FILE` with a NATS nkey seed"),
		file("nats-ca", "PEM `FILE` of the authority that NATS's certificate is checked with"),
		file("nats-cert", "PEM `FILE` of the client certificate for NATS"),
		file("nats-key", "PEM `FILE` of the client certificate's key"),
		&cli.StringFlag{
			Name: "nats-inbox-prefix", Sources: env("nats-inbox-prefix"), Category: categoryConnection,
			Usage: "`SUBJECT` prefix of replies", DefaultText: "_INBOX.<user>",
		},
	}
}

func natsConfigOf(cmd *cli.Command) natsConfig {
	name, err := contextOf(cmd)
	switch {
	case err != nil:
		return natsConfig{err: err}
	case name != "":
		cfg, err := contextConfig(name)
		if err != nil {
			return natsConfig{err: flagErrorf(cmd, "context", "is %q: %v", name, err)}
		}
		cfg.InboxPrefix = cmp.Or(cmd.String("nats-inbox-prefix"), cfg.InboxPrefix)
		return cfg
	}
	return natsConfig{
		URL: cmd.String("nats"), Creds: cmd.String("nats-creds"), NKey: cmd.String("nats-nkey"),
		InboxPrefix: cmd.String("nats-inbox-prefix"),
		TLS:         tlsFiles{CA: cmd.String("nats-ca"), Cert: cmd.String("nats-cert"), Key: cmd.String("nats-key")},
	}
}

// connectNATS makes the connection of a service: it returns at once even if no
// server answers, and reconnects for ever with backoff and jitter. Nothing is
// buffered while it is away: a publisher gets an error instead. An error means
// that the configuration cannot be used. The caller closes or drains.
func connectNATS(cfg natsConfig, name string, log *slog.Logger, opts ...nats.Option) (*nats.Conn, error) {
	own, err := cfg.options(name)
	if err != nil {
		return nil, err
	}
	// The handlers may run before the connection tells, or after it is lost again.
	where := func(nc *nats.Conn) string { return redact(cmp.Or(nc.ConnectedUrl(), cfg.URL)) }
	own = append(own,
		nats.RetryOnFailedConnect(true),
		// A password that is wrong during a roll-out may be right a minute later.
		nats.IgnoreAuthErrorAbort(),
		nats.ConnectHandler(func(nc *nats.Conn) {
			log.Info("connected to NATS", "url", where(nc), "version", nc.ConnectedServerVersion())
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			log.Info("connected to NATS again", "url", where(nc))
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // nil: we closed it
				log.Warn("lost NATS, reconnecting", "err", err)
			}
		}),
		nats.ErrorHandler(logNATSErrors(log)),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) {
			log.Debug("NATS not reached yet", "err", err)
		}),
	)
	nc, err := nats.Connect(cfg.URL, append(own, opts...)...)
	if err != nil {
		return nil, usageErrorf("connect to NATS at %s: %w; check %s", redact(cfg.URL), err, cfg.setting(""))
	}
	if !nc.IsConnected() {
		log.Warn("NATS is not there yet, trying on", "url", redact(cfg.URL))
	}
	return nc, nil
}

// dialNATS makes the connection of a command that is of no use without: an
// error means that no server answers or that it refuses us.
func dialNATS(cfg natsConfig, name string, opts ...nats.Option) (*nats.Conn, error) {
	own, err := cfg.options(name)
	if err != nil {
		return nil, err
	}
	nc, err := nats.Connect(cfg.URL, append(own, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w; start it, or point %s at it", redact(cfg.URL), err, cfg.setting(""))
	}
	return nc, nil
}

// options are what every connection has; an error is a setting that cannot be
// used.
func (c natsConfig) options(name string) ([]nats.Option, error) {
	if c.err != nil {
		return nil, c.err
	}
	user, err := natsUser(c.URL)
	if err != nil {
		return nil, usageErrorf("%s %s: %w", c.setting(""), redact(c.URL), err)
	}
	opts := []nats.Option{
		nats.Name("tickstream-" + name),
		nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1),
		nats.CustomReconnectDelay(backoff),
		nats.Timeout(2 * time.Second),
		nats.PingInterval(5 * time.Second), // a dead server is noticed in 10 s
		nats.MaxPingsOutstanding(2),
	}
	prefix := c.InboxPrefix
	if prefix == "" && user != "" {
		prefix = nats.InboxPrefix + user
	}
	if prefix = strings.TrimSuffix(prefix, "."); prefix != "" {
		opts = append(opts, nats.CustomInboxPrefix(prefix))
	}
	if c.Creds != "" {
		// The client reads it at each connect and would only ever retry.
		if _, err := os.Stat(c.Creds); err != nil {
			return nil, usageErrorf("%s: %w", c.setting("-creds"), err)
		}
		opts = append(opts, nats.UserCredentials(c.Creds))
	}
	if c.NKey != "" {
		opt, err := nats.NkeyOptionFromSeed(c.NKey)
		if err != nil {
			return nil, usageErrorf("%s: %w", c.setting("-nkey"), err)
		}
		opts = append(opts, opt)
	}
	if c.JWT != "" {
		opts = append(opts, nats.UserJWTAndSeed(c.JWT, c.Seed))
	}
	if c.TLSFirst {
		opts = append(opts, nats.TLSHandshakeFirst())
	}
	if !c.TLS.empty() {
		cfg := &tls.Config{MinVersion: tls.VersionTLS12}
		if err := c.TLS.apply(cfg); err != nil {
			return nil, usageErrorf("%s, %s, %s: %w", c.setting("-ca"), c.setting("-cert"), c.setting("-key"), err)
		}
		opts = append(opts, nats.Secure(cfg))
		opts = append(opts, c.TLS.reloaded()...)
	}
	return opts, nil
}

// reloaded has the client read the files anew at each connection.
func (f tlsFiles) reloaded() []nats.Option {
	var certificate func() (tls.Certificate, error)
	var authority func() (*x509.CertPool, error)
	if f.Cert != "" {
		certificate = f.pair
	}
	if f.CA != "" {
		authority = f.pool
	}
	return []nats.Option{nats.ClientTLSConfig(certificate, authority)}
}

var natsSchemes = []string{"nats", "tls", "ws", "wss"}

// natsUser checks the URLs of a NATS client and returns their user, if any.
func natsUser(urls string) (string, error) {
	var user string
	for part := range strings.SplitSeq(urls, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			return "", errors.New("empty: give nats://host:4222")
		}
		if !strings.Contains(part, "://") {
			part = "nats://" + part
		}
		u, err := parseURL(part)
		if err != nil {
			return "", err
		}
		if !slices.Contains(natsSchemes, u.Scheme) {
			return "", fmt.Errorf("scheme %q: give one of %s", u.Scheme, strings.Join(natsSchemes, ", "))
		}
		if u.Hostname() == "" {
			return "", errors.New("no host: give nats://host:4222")
		}
		if err := checkAddress(u); err != nil {
			return "", err
		}
		// A user without a password is a token, which is a secret.
		if _, hasPassword := u.User.Password(); hasPassword {
			user = cmp.Or(user, u.User.Username())
		}
	}
	return user, nil
}
