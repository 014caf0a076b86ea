package dashboard

import (
	"encoding/json"
	"net/http"

	"github.com/klauspost/compress/gzhttp"
)

// routes are the page, what it asks for, and the two things that it may do.
func (d *Dashboard) routes(files map[string]asset) http.Handler {
	quiet := http.NewServeMux() // what is not followed
	quiet.Handle("GET /", serveAssets(files))
	quiet.HandleFunc("GET /api/symbols", d.serveSymbols)
	quiet.HandleFunc("GET /api/candles", d.serveCandles)
	quiet.HandleFunc("POST /api/replay", d.startReplay)
	quiet.HandleFunc("DELETE /api/replay", d.stopReplay)

	mux := http.NewServeMux()
	mux.Handle("GET /api/events", d.serveEvents(&doorkeeper{most: int64(d.cfg.MaxPages)}))
	mux.Handle("/", gzhttp.GzipHandler(quiet))
	return guard(http.NewCrossOriginProtection().Handler(mux))
}

// policy is what browsers may do with the page: run and follow what comes from
// here, and nothing that is written into it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// guard tells browsers to trust nothing else.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

func (d *Dashboard) serveSymbols(w http.ResponseWriter, _ *http.Request) {
	d.answer(w, append([]string{}, d.cfg.Symbols...))
}

func (d *Dashboard) serveCandles(w http.ResponseWriter, r *http.Request) {
	symbol, timeframe := r.URL.Query().Get("symbol"), r.URL.Query().Get("timeframe")
	if symbol == "" || len(symbol) > longestSymbol {
		http.Error(w, "symbol is missing or too long", http.StatusBadRequest)
		return
	}
	if _, ok := spans[timeframe]; !ok {
		http.Error(w, "timeframe must be 1min, 5min, 15min, 60min or daily", http.StatusBadRequest)
		return
	}
	chart, err := d.candles(r.Context(), symbol, timeframe)
	if err != nil {
		http.Error(w, "the bars cannot be read now: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	d.answer(w, chart)
}

func (d *Dashboard) answer(w http.ResponseWriter, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		http.Error(w, "the answer cannot be encoded", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if _, err := w.Write(data); err != nil {
		d.deps.Log.Debug("HTTP answer not taken", "err", err)
	}
}
