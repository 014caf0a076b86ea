package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tickstock/tickstream/health/cause"
)

// pageSilence is how long the page hears nothing before it says so.
const pageSilence = 8 * time.Second

// streamView follows the events that the page is sent, and connects again as it
// does.
type streamView struct {
	mu    sync.Mutex
	seen  view
	heard time.Time
	last  string // id

	issues []pageIssue
}

// pageIssue is one that the page lists.
type pageIssue struct{ Code, Severity, Sentence, Mend, Hop string }

var _ viewer = (*streamView)(nil)

func openStream(t *testing.T, url string) *streamView {
	t.Helper()
	s := &streamView{heard: time.Now()}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { // ends with the test
		for ctx.Err() == nil {
			s.follow(ctx, url)
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return s
}

// follow takes events until the connection ends.
func (s *streamView) follow(ctx context.Context, url string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return
	}
	s.mu.Lock()
	request.Header.Set("Last-Event-ID", s.last)
	s.mu.Unlock()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	name := ""
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "event":
			name = value
		case "id", "data":
			s.take(name, field, value)
		}
	}
}

func (s *streamView) take(name, field, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = time.Now()
	if field == "id" {
		s.last = value
		return
	}
	if name != "state" {
		return
	}
	var state struct {
		Status  string
		EventAt int64 `json:"event_at"`
		Numbers struct{ Active int }
		Hops    []struct{ ID, Tone string }
		Issues  []pageIssue
	}
	if json.Unmarshal([]byte(value), &state) != nil {
		return // the test waits in vain
	}
	s.become(state.Status)
	s.issues, s.seen.Blamed = state.Issues, ""
	if len(s.issues) > 0 {
		s.seen.Blamed = s.issues[0].Sentence + " " + s.issues[0].Mend
	}
	s.seen.Active, s.seen.Measured, s.seen.Broken = state.Numbers.Active, strconv.FormatInt(state.EventAt, 10), nil
	for _, hop := range state.Hops {
		if hop.Tone == "bad" {
			s.seen.Broken = append(s.seen.Broken, hop.ID)
		}
	}
}

func (s *streamView) become(word string) {
	if word != s.seen.Word {
		s.seen.Word, s.seen.Since = word, time.Now().UnixMilli()
	}
}

// look says what the page would: nothing was heard for too long.
func (s *streamView) look(*testing.T) view {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.heard) > pageSilence {
		s.become(noWord)
		s.seen.Broken, s.seen.Blamed = []string{"health"}, cause.HealthDead.Sentence("no word")+" "+cause.HealthDead.Mend
	}
	return s.seen
}

// listed are the issues that the page shows now.
func (s *streamView) listed() []pageIssue {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issues
}

func (s *streamView) picture(*testing.T, string) {}
func (s *streamView) expectFaults(bool)          {}
func (s *streamView) close(*testing.T)           {}
