package deploy_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/health/dashboard"
	"github.com/tickstock/tickstream/health/replays"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/replay"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
	"golang.org/x/sync/errgroup"
)

// idle is a monitor that has made no event yet.
type idle struct{}

func (idle) Snapshot() health.Snapshot { return health.Snapshot{} }

// The dashboard itself as the user of health: sizes, bars, history and a replay.
func TestDashboardRuns(t *testing.T) {
	s, _ := ensured(t)
	user, operator := connect(t, s, presence.RoleHealth), connect(t, s, "operator")
	if err := operator.single(t.Context(), stream.TickSubject("AAPL")); err != nil {
		t.Fatal(err)
	}
	replayed := &strings.Builder{}
	reruns, err := replays.New("mine", replays.Deps{
		JetStream: user.js, Log: quiet,
		OpenSink: func(context.Context, string) (replay.Sink, error) { return replay.NewWriter(replayed), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	d, err := dashboard.New(dashboard.Config{}, dashboard.Deps{Source: idle{}, JetStream: user.js, Replays: reruns, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.Run(ctx) }) // both end with stop
	group.Go(func() error { return reruns.Run(ctx) })
	server := httptest.NewServer(d.Handler())
	defer server.Close()
	get := func(ctx context.Context, path string) string {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		head := make([]byte, 64<<10)
		n, err := io.ReadAtLeast(response.Body, head, 1)
		if err != nil {
			t.Fatal(err)
		}
		return string(head[:n])
	}
	testbed.Eventually(t, 10*time.Second, "the sizes are shown", func(ctx context.Context) bool {
		return strings.Contains(get(ctx, "/api/events"), `"name":"TICKS"`)
	})
	if body := get(t.Context(), "/api/candles?symbol=AAPL&timeframe=1min"); !strings.Contains(body, `"bars":[]`) {
		t.Errorf("candles: %s", body)
	}
	response, err := http.Post(server.URL+"/api/replay", "application/json", strings.NewReader(`{"from":"-1h","channel":"mine"}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	testbed.Eventually(t, 10*time.Second, "the replay is done", func(ctx context.Context) bool {
		return strings.Contains(get(ctx, "/api/events"), `"phase":"done","from"`)
	})
	stop()
	if err := group.Wait(); err != nil {
		t.Errorf("run: %v", err)
	}
	if replayed.Len() == 0 {
		t.Error("nothing was replayed")
	}
	user.mustBeAllowed()
}
