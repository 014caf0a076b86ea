package main

import (
	"crypto/tls"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestParseRedisURL(t *testing.T) {
	for _, c := range []struct {
		raw  string
		want any // of the fields below, what the URL sets
	}{
		{"redis://127.0.0.1:6379", redis.Options{Addr: "127.0.0.1:6379"}},
		{"redis://h", redis.Options{Addr: "h:6379"}},
		{"redis://[::1]:7000/3", redis.Options{Addr: "[::1]:7000", DB: 3}},
		{"redis://app:p%40ss@h:1/2?read_timeout=6s", redis.Options{Addr: "h:1", Username: "app", Password: "p@ss", DB: 2, ReadTimeout: 6 * time.Second}},
		{"redis://:pw@h", redis.Options{Addr: "h:6379", Password: "pw"}},
		{"unix:///run/redis.sock?db=1", redis.Options{Addr: "/run/redis.sock", DB: 1}},
		{"redis+sentinel://a:1,b:2/mymaster/4", redis.FailoverOptions{MasterName: "mymaster", SentinelAddrs: []string{"a:1", "b:2"}, DB: 4}},
		{"redis+sentinel://a/mymaster", redis.FailoverOptions{MasterName: "mymaster", SentinelAddrs: []string{"a:26379"}}},
		{"redis+sentinel://app:p%40ss@[::1]:1,[::2],c/m", redis.FailoverOptions{MasterName: "m", SentinelAddrs: []string{"[::1]:1", "[::2]:26379", "c:26379"}, Username: "app", Password: "p@ss"}},
		{"redis+sentinel://app:pw@a:1/m/0?sentinel_username=s&sentinel_password=sp&read_timeout=6s", redis.FailoverOptions{
			MasterName: "m", SentinelAddrs: []string{"a:1"}, Username: "app", Password: "pw",
			SentinelUsername: "s", SentinelPassword: "sp", ReadTimeout: 6 * time.Second,
		}},
		{"redis+cluster://a:1,b,c:3", redis.ClusterOptions{Addrs: []string{"a:1", "b:6379", "c:3"}}},
		{"redis+cluster://app:pw@a:1,b:2?read_timeout=6s", redis.ClusterOptions{Addrs: []string{"a:1", "b:2"}, Username: "app", Password: "pw", ReadTimeout: 6 * time.Second}},
		{"redis+cluster://a:1/", redis.ClusterOptions{Addrs: []string{"a:1"}}},
	} {
		for _, secure := range []bool{false, true} {
			raw := c.raw
			if secure {
				if strings.HasPrefix(raw, "unix") {
					continue
				}
				raw = "rediss" + strings.TrimPrefix(raw, "redis")
			}
			target, err := parseRedisURL(raw)
			if err != nil {
				t.Errorf("%s: %v", raw, err)
				continue
			}
			if got := target.plain(); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s:\n got %+v\nwant %+v", raw, got, c.want)
			}
			if cfg := target.tls(); (cfg != nil) != secure || secure && cfg.MinVersion < tls.VersionTLS12 {
				t.Errorf("%s: TLS is %+v", raw, cfg)
			}
			client, err := connectRedis(redisConfig{URL: raw}, "test")
			if err != nil {
				t.Errorf("%s: %v", raw, err)
				continue
			}
			if err := client.Close(); err != nil {
				t.Errorf("%s: close: %v", raw, err)
			}
		}
	}
}

// plain is what a URL set, as a value that can be compared.
func (t redisTarget) plain() any {
	switch {
	case t.failover != nil:
		o := t.failover
		return redis.FailoverOptions{
			MasterName: o.MasterName, SentinelAddrs: o.SentinelAddrs, DB: o.DB, Username: o.Username, Password: o.Password,
			SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword, ReadTimeout: o.ReadTimeout,
		}
	case t.cluster != nil:
		o := t.cluster
		return redis.ClusterOptions{Addrs: o.Addrs, Username: o.Username, Password: o.Password, ReadTimeout: o.ReadTimeout}
	}
	o := t.single
	return redis.Options{Addr: o.Addr, Username: o.Username, Password: o.Password, DB: o.DB, ReadTimeout: o.ReadTimeout}
}

// A name is checked against each host of a Sentinel or Cluster, not the first's.
func TestTLSNamesOfSeveralHosts(t *testing.T) {
	for raw, want := range map[string]string{
		"rediss://a:1": "a", "rediss+sentinel://a:1,b:2/m": "", "rediss+cluster://a:1,b:2": "",
	} {
		target, err := parseRedisURL(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := target.tls().ServerName; got != want {
			t.Errorf("%s: server name is %q, want %q", raw, got, want)
		}
	}
}

var badRedisURLs = []string{
	"", "h:6379", "http://h", "redis://u:hunter2@h:x", "redis://h/db", "redis://h/1/2", "redis:///u:hunter2@h", "redis://h?nonsense=1", "unix://",
	"redis+sentinel://a:1", "redis+sentinel://a:1/m/x", "redis+sentinel://a:1/m/-1", "redis+sentinel://a:1/m/1/2",
	"redis+sentinel://a:1,/m", "redis+sentinel:///m", "redis+sentinel://u:hunter2@a:x/m", "redis+sentinel://a/m?password=hunter2",
	"redis+sentinel://a/m?addr=b", "redis+sentinel://a/m?%zz", "redis+sentinel://u:hunter2%@a/m",
	"redis+cluster://a:1/0", "redis+cluster://", "redis+cluster://a,,b", "redis+cluster://u:hunter2@a:1:2",
}

func TestBadRedisURLs(t *testing.T) {
	for _, raw := range badRedisURLs {
		_, err := connectRedis(redisConfig{URL: raw}, "test")
		if usage, bad := isUsage(err); !bad {
			t.Errorf("%q: error is %v", raw, err)
		} else if strings.Contains(usage.Error(), "hunter2") || !strings.Contains(usage.Error(), "--redis (REDIS_URL)") {
			t.Errorf("%q: error is %v", raw, usage)
		}
	}
}

// No input panics; one that is accepted names a host; the password is never
// shown.
func FuzzParseRedisURL(f *testing.F) {
	for _, raw := range append(badRedisURLs, "redis://h:1/2", "rediss+sentinel://u:p@a:1,[::1]:2/m/3?read_timeout=1s", "redis+cluster://a,b") {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		target, err := parseRedisURL(raw)
		if err != nil {
			if authority, _, found := strings.Cut(raw, "@"); found {
				if _, password, found := strings.Cut(strings.TrimPrefix(authority, "redis://"), ":"); found && len(password) > 12 && strings.Contains(err.Error(), password) {
					t.Errorf("%q: a secret is shown: %v", raw, err)
				}
			}
			return
		}
		switch {
		case target.failover != nil:
			if len(target.failover.SentinelAddrs) == 0 || target.failover.MasterName == "" {
				t.Errorf("%q: %+v", raw, target.failover)
			}
		case target.cluster != nil:
			if len(target.cluster.Addrs) == 0 {
				t.Errorf("%q: no address", raw)
			}
		case target.single == nil || target.single.Addr == "":
			t.Errorf("%q: no address", raw)
		}
	})
}
