package dashboard

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"

	"github.com/tickstock/tickstream/health/replays"
)

const (
	longestOrder  = 16 << 10
	longestSymbol = 64
)

// startReplay has a replay run.
func (d *Dashboard) startReplay(w http.ResponseWriter, r *http.Request) {
	if d.deps.Replays == nil {
		http.Error(w, noReplays, http.StatusForbidden)
		return
	}
	// A form of a foreign page cannot have this type without asking first.
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		http.Error(w, "give the replay as application/json", http.StatusUnsupportedMediaType)
		return
	}
	var asked replays.Request
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, longestOrder))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil {
		http.Error(w, "this is no replay: "+err.Error(), http.StatusBadRequest)
		return
	}
	err := d.deps.Replays.Start(r.Context(), asked, "the dashboard")
	switch {
	case errors.Is(err, replays.ErrBusy):
		http.Error(w, err.Error(), http.StatusConflict)
	case err != nil:
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
	default:
		w.WriteHeader(http.StatusAccepted)
	}
}

const noReplays = "this page may not replay: use tickstream replay"

// stopReplay cancels the replay that runs.
func (d *Dashboard) stopReplay(w http.ResponseWriter, _ *http.Request) {
	if d.deps.Replays == nil {
		http.Error(w, noReplays, http.StatusForbidden)
		return
	}
	if err := d.deps.Replays.Stop(); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}
