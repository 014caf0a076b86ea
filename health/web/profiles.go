package web

import (
	"net/http"
	"net/http/pprof"
)

const profilesPath = "/debug/pprof/"

// profiles are those of the Go runtime, for go tool pprof. They hold no values,
// and so no secrets; the command line, which may, is left out.
func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(profilesPath, pprof.Index)
	mux.HandleFunc(profilesPath+"profile", pprof.Profile)
	mux.HandleFunc(profilesPath+"symbol", pprof.Symbol)
	mux.HandleFunc(profilesPath+"trace", pprof.Trace)
	return mux
}
