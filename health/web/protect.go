package web

import (
	"log/slog"
	"net/http"
)

// maxBody is the longest body of a request, in bytes.
const maxBody = 64 << 10

// protect puts in front of next what every request passes: headers that tell
// browsers to trust nothing else, a bound on what is sent, no writing from
// another origin, and who may come in.
func protect(cfg Config, next http.Handler, log *slog.Logger) http.Handler {
	inside := http.NewCrossOriginProtection().Handler(newAccess(cfg, next, log))
	return http.MaxBytesHandler(headers(inside), maxBody)
}

// headers are those of every answer; a page that needs more sets its own.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
