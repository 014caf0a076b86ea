package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	sessionCookie = "tickstream"
	sessionLife   = 12 * time.Hour
)

// sessions are what browsers hold in place of the token: the time at which it
// ends, signed with the token. So none is kept here, each lives through a
// restart, and all end when the token changes.
type sessions struct{ key []byte }

func (s sessions) cookie(now time.Time, secure bool) *http.Cookie {
	ends := strconv.FormatInt(now.Add(sessionLife).Unix(), 10)
	return &http.Cookie{
		Name: sessionCookie, Value: ends + "." + hex.EncodeToString(s.sign(ends)), Path: "/",
		MaxAge: int(sessionLife.Seconds()), HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode,
	}
}

// holds is whether the request has a session that has not ended.
func (s sessions) holds(r *http.Request, now time.Time) bool {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return false
	}
	ends, signature, _ := strings.Cut(cookie.Value, ".")
	given, err := hex.DecodeString(signature)
	if err != nil || !hmac.Equal(given, s.sign(ends)) {
		return false
	}
	seconds, err := strconv.ParseInt(ends, 10, 64)
	return err == nil && now.Before(time.Unix(seconds, 0))
}

func (s sessions) sign(ends string) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte("tickstream session until " + ends))
	return mac.Sum(nil)
}
