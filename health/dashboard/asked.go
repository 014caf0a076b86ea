package dashboard

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/tickstock/tickstream/pipeline/replay"
)

const (
	longestOrder  = 16 << 10
	symbolsAsked  = 500
	longestSymbol = 64
)

// asked is a replay as the page asks for it.
type asked struct {
	From    string   `json:"from"` // RFC 3339, or relative to now: -5m
	To      string   `json:"to"`   // the same; empty for now
	Speed   float64  `json:"speed"`
	Symbols []string `json:"symbols"` // none for all
	Channel string   `json:"channel"`
}

// startReplay has a replay run.
func (d *Dashboard) startReplay(w http.ResponseWriter, r *http.Request) {
	if d.deps.OpenSink == nil {
		http.Error(w, "this page may not replay: use tickstream replay", http.StatusForbidden)
		return
	}
	// A form of a foreign page cannot have this type without asking first.
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		http.Error(w, "give the replay as application/json", http.StatusUnsupportedMediaType)
		return
	}
	var a asked
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, longestOrder))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&a); err != nil {
		http.Error(w, "this is no replay: "+err.Error(), http.StatusBadRequest)
		return
	}
	o, err := a.order(time.Now())
	if err == nil {
		err = d.replays.start(r.Context(), o)
	}
	switch {
	case errors.Is(err, errBusy):
		http.Error(w, err.Error(), http.StatusConflict)
	case err != nil:
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
	default:
		w.WriteHeader(http.StatusAccepted)
	}
}

// stopReplay cancels the replay that runs.
func (d *Dashboard) stopReplay(w http.ResponseWriter, _ *http.Request) {
	if err := d.replays.stop(); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func (a asked) order(now time.Time) (order, error) {
	o := order{Speed: a.Speed, Channel: strings.TrimSpace(a.Channel)}
	var err error
	if o.From, err = replay.ParseMoment(a.From, now); err != nil {
		return o, fmt.Errorf("from is %q: give a time such as 2025-10-07T13:30:00Z, or one relative to now such as -5m", a.From)
	}
	if a.To != "" {
		if o.To, err = replay.ParseMoment(a.To, now); err != nil {
			return o, fmt.Errorf("to is %q: give a time such as 2025-10-07T13:30:00Z, or one relative to now such as -1m", a.To)
		}
	}
	for _, symbol := range a.Symbols {
		if symbol = strings.TrimSpace(symbol); symbol != "" {
			o.Symbols = append(o.Symbols, symbol)
		}
		if len(symbol) > longestSymbol {
			return o, fmt.Errorf("a symbol has %d characters: give at most %d", len(symbol), longestSymbol)
		}
	}
	if len(o.Symbols) > symbolsAsked {
		return o, fmt.Errorf("%d symbols are given: give at most %d, or none for all", len(o.Symbols), symbolsAsked)
	}
	if o.Channel == "" {
		return o, errors.New("channel is empty: give a Redis channel of your own, such as tickstock:replay:ticks")
	}
	return o, nil
}
