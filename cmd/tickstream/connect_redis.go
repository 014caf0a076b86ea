package main

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/tickstock/tickstream/bridge"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/urfave/cli/v3"
)

const defaultRedisURL = "redis://127.0.0.1:6379"

// redisConfig is how to reach Redis, as the flags of [redisFlags] say.
type redisConfig struct {
	// URL is redis://, rediss:// (TLS), unix://, or for a Sentinel or a Cluster
	// redis+sentinel://user:password@host:port,host:port/master/db and
	// redis+cluster://user:password@host:port,host:port, each with rediss too.
	URL string
	// TLS files, for a URL that says rediss.
	TLS tlsFiles
	// ReadAhead is how many bytes a connection takes in before they are asked
	// for; 0 for none.
	ReadAhead int
	// NoRetries leaves out go-redis's own, which may repeat what was done.
	NoRetries bool
}

// redisFlags are the flags of a command that speaks Redis, with fallback as the
// URL's default.
func redisFlags(fallback string) []cli.Flag {
	file := func(name, usage string) cli.Flag {
		return &cli.StringFlag{Name: name, Sources: env(name), Usage: usage, TakesFile: true, Category: categoryConnection}
	}
	return []cli.Flag{
		&cli.StringFlag{
			Name: "redis", Sources: secretFromEnv("REDIS_URL"), Value: fallback, Category: categoryConnection,
			Usage: "Redis `URL`: redis://user:password@host:6379/0, rediss:// for TLS, redis+sentinel://host:26379,host2:26379/master/0, redis+cluster://host:6379,host2:6379",
		},
		file("redis-ca", "PEM `FILE` of the authority that Redis's certificate is checked with"),
		file("redis-cert", "PEM `FILE` of the client certificate for Redis"),
		file("redis-key", "PEM `FILE` of the client certificate's key"),
		&cli.StringFlag{
			Name: "redis-namespace", Sources: env("redis-namespace"), Value: event.DefaultNamespace, Category: categoryConnection,
			Usage:     "first `WORD` of the Redis channels; another one keeps a second installation apart",
			Validator: validNamespace,
		},
	}
}

func redisConfigOf(cmd *cli.Command) redisConfig {
	return redisConfig{
		URL: cmd.String("redis"),
		TLS: tlsFiles{CA: cmd.String("redis-ca"), Cert: cmd.String("redis-cert"), Key: cmd.String("redis-key")},
	}
}

// connectRedis makes a client for whatever the URL names. It does not connect:
// an error means that the configuration cannot be used. The caller closes.
func connectRedis(cfg redisConfig, name string) (redis.UniversalClient, error) {
	target, err := parseRedisURL(cfg.URL)
	if err != nil {
		return nil, usageErrorf("--redis (REDIS_URL) %s: %w", redact(cfg.URL), err)
	}
	if !cfg.TLS.empty() {
		if target.tls() == nil {
			return nil, usageErrorf("--redis-ca, --redis-cert and --redis-key need TLS: let --redis (REDIS_URL) begin with rediss")
		}
		if err := cfg.TLS.apply(target.tls()); err != nil {
			return nil, usageErrorf("--redis-ca, --redis-cert, --redis-key (TICKSTREAM_REDIS_CA, …_CERT, …_KEY): %w", err)
		}
	}
	return target.client("tickstream-"+name, cfg), nil
}

// redisTarget is a parsed URL: exactly one of its fields is set.
type redisTarget struct {
	single   *redis.Options
	failover *redis.FailoverOptions
	cluster  *redis.ClusterOptions
}

func (t redisTarget) tls() *tls.Config {
	switch {
	case t.failover != nil:
		return t.failover.TLSConfig
	case t.cluster != nil:
		return t.cluster.TLSConfig
	}
	return t.single.TLSConfig
}

// client makes the client; it shares what it can with the other kinds.
func (t redisTarget) client(name string, cfg redisConfig) redis.UniversalClient {
	// A dial is retried by whoever uses the client, with a backoff of its own.
	const dialTimeout, dials, never = 2 * time.Second, 1, -1
	// A user may be forbidden to tell of the client library, which is of no use
	// beside the client's name. The notifications are of a hosted product.
	quiet := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	switch {
	case t.failover != nil:
		o := t.failover
		o.ClientName, o.DisableIdentity, o.ContextTimeoutEnabled, o.DialTimeout, o.DialerRetries = name, true, true, dialTimeout, dials
		o.Dialer = cfg.dialer(o.TLSConfig, dialTimeout)
		if cfg.NoRetries {
			o.MaxRetries = never
		}
		return redis.NewFailoverClient(o)
	case t.cluster != nil:
		o := t.cluster
		o.ClientName, o.DisableIdentity, o.ContextTimeoutEnabled, o.DialTimeout, o.DialerRetries = name, true, true, dialTimeout, dials
		o.Dialer = cfg.dialer(o.TLSConfig, dialTimeout)
		o.MaintNotificationsConfig = quiet
		if cfg.NoRetries {
			o.MaxRetries = never
		}
		return redis.NewClusterClient(o)
	}
	o := t.single
	o.ClientName, o.DisableIdentity, o.ContextTimeoutEnabled, o.DialTimeout, o.DialerRetries = name, true, true, dialTimeout, dials
	o.Dialer = cfg.dialer(o.TLSConfig, dialTimeout)
	o.MaintNotificationsConfig = quiet
	if cfg.NoRetries {
		o.MaxRetries = never
	}
	return redis.NewClient(o)
}

// dialer is go-redis's own (nil) unless connections are to read ahead, or TLS
// files are to be read anew at each.
func (c redisConfig) dialer(tlsConfig *tls.Config, timeout time.Duration) func(context.Context, string, string) (net.Conn, error) {
	if c.ReadAhead == 0 && c.TLS.empty() {
		return nil
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		now := tlsConfig
		if !c.TLS.empty() {
			now = tlsConfig.Clone()
			if err := c.TLS.apply(now); err != nil {
				return nil, err
			}
		}
		conn, err := redis.NewDialer(&redis.Options{DialTimeout: timeout, TLSConfig: now})(ctx, network, address)
		if err != nil || c.ReadAhead == 0 {
			return conn, err //nolint:wrapcheck // go-redis looks at it
		}
		return bridge.ReadAhead(conn, c.ReadAhead), nil
	}
}
