package web

import (
	_ "embed"
	"net/http"
	"net/url"
	"strings"
	"time"
)

//go:embed login.html
var loginPage []byte

const loginPath = "/login"

// signIn gives a browser that shows the token a session: by the form, or once
// by ?token= in an address, which is taken out of it at once. It is false where
// the request does neither.
func (a *access) signIn(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case r.URL.Path == loginPath && r.Method == http.MethodPost:
		if !a.matches(r, strings.TrimSpace(r.PostFormValue("token"))) {
			return false
		}
		a.admit(w, r, "/")
	case (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.URL.Query().Has("token"):
		query := r.URL.Query()
		if !a.matches(r, query.Get("token")) {
			return false
		}
		query.Del("token")
		// One slash: two would lead to another host.
		target := url.URL{Path: "/" + strings.TrimLeft(r.URL.Path, `/\`), RawQuery: query.Encode()}
		a.admit(w, r, target.String())
	default:
		return false
	}
	return true
}

func (a *access) admit(w http.ResponseWriter, r *http.Request, target string) {
	http.SetCookie(w, a.sessions.cookie(time.Now(), r.TLS != nil))
	http.Redirect(w, r, target, http.StatusSeeOther)
}

// ask says what is asked for, to people by the form.
func (a *access) ask(w http.ResponseWriter, r *http.Request) {
	if a.cfg.Token == "" {
		http.Error(w, "a client certificate is asked for", http.StatusUnauthorized)
		return
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="tickstream"`)
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Error(w, "a token is asked for: send Authorization: Bearer TOKEN", http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusUnauthorized)
	if r.Method == http.MethodHead {
		return
	}
	if _, err := w.Write(loginPage); err != nil {
		a.log.Debug("HTTP answer not taken", "err", err)
	}
}
