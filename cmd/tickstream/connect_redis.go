package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
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
			Name: "redis", Sources: fromEnv("REDIS_URL"), Value: fallback, Category: categoryConnection,
			Usage: "Redis `URL`: redis://user:password@host:6379/0, rediss:// for TLS, redis+sentinel://host:26379,host2:26379/master/0, redis+cluster://host:6379,host2:6379",
		},
		file("redis-ca", "PEM `FILE` of the authority that Redis's certificate is checked with"),
		file("redis-cert", "PEM `FILE` of the client certificate for Redis"),
		file("redis-key", "PEM `FILE` of the client certificate's key"),
		&cli.StringFlag{
			Name: "redis-namespace", Sources: env("redis-namespace"), Value: event.DefaultNamespace, Category: categoryConnection,
			Usage: "first `WORD` of the Redis channels; another one keeps a second installation apart",
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
	return target.client("tickstream-"+name, cfg.NoRetries), nil
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
func (t redisTarget) client(name string, noRetries bool) redis.UniversalClient {
	// A dial is retried by whoever uses the client, with a backoff of its own.
	const dialTimeout, dials, never = 2 * time.Second, 1, -1
	// The notifications are of a hosted product.
	quiet := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	switch {
	case t.failover != nil:
		o := t.failover
		o.ClientName, o.ContextTimeoutEnabled, o.DialTimeout, o.DialerRetries = name, true, dialTimeout, dials
		if noRetries {
			o.MaxRetries = never
		}
		return redis.NewFailoverClient(o)
	case t.cluster != nil:
		o := t.cluster
		o.ClientName, o.ContextTimeoutEnabled, o.DialTimeout, o.DialerRetries = name, true, dialTimeout, dials
		o.MaintNotificationsConfig = quiet
		if noRetries {
			o.MaxRetries = never
		}
		return redis.NewClusterClient(o)
	}
	o := t.single
	o.ClientName, o.ContextTimeoutEnabled, o.DialTimeout, o.DialerRetries = name, true, dialTimeout, dials
	o.MaintNotificationsConfig = quiet
	if noRetries {
		o.MaxRetries = never
	}
	return redis.NewClient(o)
}

// parseRedisURL reads each form of a Redis URL. Its errors hold no password.
func parseRedisURL(raw string) (redisTarget, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return redisTarget{}, errors.New("no scheme: give redis://host:6379")
	}
	switch scheme {
	case "redis", "rediss", "unix":
		if _, err := parseURL(raw); err != nil {
			return redisTarget{}, err
		}
		single, err := redis.ParseURL(raw)
		return redisTarget{single: single}, err
	case "redis+sentinel", "rediss+sentinel":
		return parseSentinelURL(strings.TrimSuffix(scheme, "+sentinel"), rest)
	case "redis+cluster", "rediss+cluster":
		return parseClusterURL(strings.TrimSuffix(scheme, "+cluster"), rest)
	}
	return redisTarget{}, errors.New("unknown scheme: give redis, rediss, unix, redis+sentinel, rediss+sentinel, redis+cluster or rediss+cluster")
}

// seedURL is a URL with several hosts: the first as go-redis wants it, the
// others and everything else as its query.
type seedURL struct {
	url   *url.URL
	query url.Values
	user  *url.Userinfo
	path  []string
}

// parseSeeds takes the host list apart, which url.Parse refuses.
func parseSeeds(scheme, rest, defaultPort string) (seedURL, error) {
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	userinfo := ""
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		userinfo, authority = authority[:at+1], authority[at+1:]
	}
	hosts := strings.Split(authority, ",")
	for i, host := range hosts {
		u, err := parseURL(scheme + "://" + host)
		if err != nil || u.Hostname() == "" || u.User != nil || !strings.HasPrefix(host, "[") && strings.Count(host, ":") > 1 {
			return seedURL{}, fmt.Errorf("host %d of the list cannot be read: give host:port,host:port", i+1)
		}
		if u.Port() == "" {
			hosts[i] = strings.TrimSuffix(host, ":") + ":" + defaultPort
		}
	}
	u, err := parseURL(scheme + "://" + userinfo + hosts[0] + tail)
	if err != nil {
		return seedURL{}, err
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return seedURL{}, errors.New("the part after ? cannot be read: give name=value&name=value")
	}
	for _, reserved := range []string{"addr", "master_name", "username", "password"} {
		if query.Has(reserved) {
			return seedURL{}, fmt.Errorf("%s does not go after ?: hosts, user and password go before the path", reserved)
		}
	}
	for _, host := range hosts[1:] {
		query.Add("addr", host)
	}
	path := strings.FieldsFunc(u.Path, func(r rune) bool { return r == '/' })
	seeds := seedURL{url: u, query: query, user: u.User, path: path}
	u.User, u.Path, u.RawPath, u.Fragment = nil, "", "", ""
	return seeds, nil
}

// parseSentinelURL reads [user:password@]host:port,host:port/master[/db]. User
// and password are Redis's; Sentinel's own go into the query as
// sentinel_username and sentinel_password.
func parseSentinelURL(scheme, rest string) (redisTarget, error) {
	s, err := parseSeeds(scheme, rest, "26379")
	if err != nil {
		return redisTarget{}, err
	}
	if len(s.path) == 0 || len(s.path) > 2 {
		return redisTarget{}, errors.New("no master name: give redis+sentinel://host:26379,host2:26379/master/0")
	}
	s.query.Set("master_name", s.path[0])
	if len(s.path) == 2 {
		if db, err := strconv.Atoi(s.path[1]); err != nil || db < 0 {
			return redisTarget{}, errors.New("the database after the master name is not a number")
		}
		s.url.Path = "/" + s.path[1]
	}
	if s.user != nil {
		s.query.Set("username", s.user.Username())
		if password, ok := s.user.Password(); ok {
			s.query.Set("password", password)
		}
	}
	if s.query.Has("sentinel_username") || s.query.Has("sentinel_password") {
		s.url.User = url.UserPassword(s.query.Get("sentinel_username"), s.query.Get("sentinel_password"))
		s.query.Del("sentinel_username")
		s.query.Del("sentinel_password")
	}
	s.url.RawQuery = s.query.Encode()
	failover, err := redis.ParseFailoverURL(s.url.String())
	if err != nil {
		return redisTarget{}, err
	}
	if failover.TLSConfig != nil {
		failover.TLSConfig.ServerName = "" // each host answers under its own name
	}
	return redisTarget{failover: failover}, nil
}

// parseClusterURL reads [user:password@]host:port,host:port.
func parseClusterURL(scheme, rest string) (redisTarget, error) {
	s, err := parseSeeds(scheme, rest, "6379")
	if err != nil {
		return redisTarget{}, err
	}
	if len(s.path) > 0 {
		return redisTarget{}, errors.New("a cluster has no database: end the URL after the hosts")
	}
	s.url.User, s.url.RawQuery = s.user, s.query.Encode()
	cluster, err := redis.ParseClusterURL(s.url.String())
	if err != nil {
		return redisTarget{}, err
	}
	if cluster.TLSConfig != nil {
		cluster.TLSConfig.ServerName = ""
		cluster.TLSConfig.MinVersion = tls.VersionTLS12
	}
	return redisTarget{cluster: cluster}, nil
}
