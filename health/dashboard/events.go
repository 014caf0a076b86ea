package dashboard

import (
	"bytes"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// takeWithin is how long a page may take to take what it is sent.
	takeWithin = 10 * time.Second
	// retryAfter is what a page waits before it connects again.
	retryAfter = time.Second
)

// doorkeeper bounds how many pages follow at once.
type doorkeeper struct {
	most   int64
	inside atomic.Int64
}

func (k *doorkeeper) enter() bool {
	if k.inside.Add(1) > k.most {
		k.inside.Add(-1)
		return false
	}
	return true
}

func (k *doorkeeper) leave() { k.inside.Add(-1) }

// serveEvents has a page follow the board until it goes or the dashboard ends.
// A page that comes again says what it saw last, by the header of the protocol
// or, where its browser has given up and it asks anew, by a parameter.
func (d *Dashboard) serveEvents(keeper *doorkeeper) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !keeper.enter() {
			w.Header().Set("Retry-After", "5")
			http.Error(w, fmt.Sprintf("%d pages follow already: close one of them", keeper.most), http.StatusServiceUnavailable)
			return
		}
		defer keeper.leave()
		seen := r.Header.Get("Last-Event-ID")
		if seen == "" {
			seen = r.URL.Query().Get("seen")
		}
		d.follow(w, r, d.board.resume(seen))
	}
}

func (d *Dashboard) follow(w http.ResponseWriter, r *http.Request, number uint64) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // the server's is for requests that end
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx would hold events back

	var out bytes.Buffer
	fmt.Fprintf(&out, "retry: %d\n", retryAfter.Milliseconds())
	fmt.Fprintf(&out, "event: hello\ndata: {\"anew\":%t}\n\n", number == 0)
	for {
		last := d.board.over() // asked first: what is put on the board before it closes is told
		frames, now, changed := d.board.since(number)
		for i, f := range frames {
			if i == len(frames)-1 {
				fmt.Fprintf(&out, "id: %s\n", d.board.id(now)) // all of it was sent
			}
			fmt.Fprintf(&out, "event: %s\ndata: %s\n\n", f.topic, f.data)
		}
		number = now
		_ = control.SetWriteDeadline(time.Now().Add(takeWithin)) // where it cannot be set, the server's holds
		if _, err := w.Write(out.Bytes()); err != nil {
			return // the page is gone
		}
		if err := control.Flush(); err != nil {
			return
		}
		out.Reset()
		if last {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		}
	}
}
