package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// parseRedisURL reads each form of a Redis URL. Its errors hold no password.
func parseRedisURL(raw string) (redisTarget, error) {
	if raw == "" {
		return redisTarget{}, errors.New("empty: give redis://host:6379")
	}
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return redisTarget{}, errors.New("no scheme: give redis://host:6379")
	}
	switch scheme {
	case "redis", "rediss", "unix":
		u, err := parseURL(raw)
		if err != nil {
			return redisTarget{}, err
		}
		if err := checkAddress(u); err != nil {
			return redisTarget{}, err
		}
		if scheme != "unix" && strings.Trim(u.Path, "/0123456789") != "" {
			// What stands there by a slip may be a password.
			return redisTarget{}, errors.New("what follows the host is no number of a database: give redis://user:password@host:6379/0")
		}
		single, err := redis.ParseURL(raw)
		return redisTarget{single: single}, plainRedis(err)
	case "redis+sentinel", "rediss+sentinel":
		return parseSentinelURL(strings.TrimSuffix(scheme, "+sentinel"), rest)
	case "redis+cluster", "rediss+cluster":
		return parseClusterURL(strings.TrimSuffix(scheme, "+cluster"), rest)
	}
	return redisTarget{}, errors.New("unknown scheme: give redis, rediss, unix, redis+sentinel, rediss+sentinel, redis+cluster or rediss+cluster")
}

// plainRedis takes the package's name off go-redis's own words.
func plainRedis(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(strings.TrimPrefix(err.Error(), "redis: "))
}

// checkAddress refuses a host and port at which no server can be.
func checkAddress(u *url.URL) error {
	if strings.Count(u.Host, ":") > 1 && !strings.HasPrefix(u.Host, "[") {
		return errors.New("the host cannot be read: give host:port, or [address]:port for IPv6")
	}
	text := u.Port()
	if text == "" {
		return nil
	}
	if port, err := strconv.Atoi(text); err != nil || port < 1 || port > 65535 {
		return fmt.Errorf("port %s: give 1 to 65535", text)
	}
	return nil
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
		if err := checkAddress(u); err != nil {
			return seedURL{}, err
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
		return redisTarget{}, plainRedis(err)
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
		return redisTarget{}, plainRedis(err)
	}
	if cluster.TLSConfig != nil {
		cluster.TLSConfig.ServerName = ""
		cluster.TLSConfig.MinVersion = tls.VersionTLS12
	}
	return redisTarget{cluster: cluster}, nil
}
