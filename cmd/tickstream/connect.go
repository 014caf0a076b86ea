package main

import (
	"errors"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"
)

// redact shows where a URL points without its password: a comma-separated list
// is redacted part by part, and what cannot be understood is not shown at all.
func redact(raw string) string {
	parts := strings.Split(raw, ",")
	for i, part := range parts {
		before, after, ok := cutUserinfo(part)
		switch {
		case !ok:
			// No userinfo; a query may still hold a password.
		case before == "":
			part = after
		default:
			part = before + "xxxxx@" + after
		}
		if at, _, hasQuery := strings.Cut(part, "?"); hasQuery {
			part = at + "?…"
		}
		parts[i] = part
	}
	return strings.Join(parts, ",")
}

// cutUserinfo splits a URL at its userinfo; ok is false where it has none.
func cutUserinfo(part string) (scheme, rest string, ok bool) {
	at := strings.LastIndex(part, "@")
	if at < 0 {
		return "", part, false
	}
	if i := strings.Index(part[:at], "://"); i >= 0 {
		scheme = part[:i+3]
	}
	return scheme, part[at+1:], true
}

// parseURL parses without repeating the URL, and so its password, in the error.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err
		}
		// The inner error may quote the authority, password and all.
		if strings.Contains(raw, "@") {
			err = errors.New("not a URL (percent-encode special characters of the password)")
		}
		return nil, err
	}
	return u, nil
}

// backoff is the wait before the attempt after n failures (n from 1): doubling
// from 100 ms to 1 s, each shortened by up to half so that clients spread out.
func backoff(n int) time.Duration {
	d := 100 * time.Millisecond << min(max(n-1, 0), 4)
	d = min(d, time.Second)
	return d/2 + rand.N(d/2)
}
