package main

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// picturesEnv names the variable with the folder that keeps pictures of the
// page; without it none are taken.
const picturesEnv = "TICKSTREAM_TEST_PICTURES"

// firstPaintWithin is generous for a busy machine that runs the race detector;
// the aim is 300 ms.
const firstPaintWithin = 5 * time.Second

const browserWithin = time.Minute // for one thing, on a busy machine

// watch has the page note when its status changes, and that it is the same page.
const watch = `(() => {
	window.loads = Number(sessionStorage.loads = Number(sessionStorage.loads ?? 0) + 1);
	const word = document.getElementById("status-word");
	window.since = Date.now();
	new MutationObserver(() => { window.since = Date.now(); }).observe(word, { childList: true, characterData: true, subtree: true });
})()`

const read = `({
	word: document.getElementById("status-word").textContent,
	active: Number(document.getElementById("headline").textContent.match(/^\d+/)?.[0] ?? 0),
	measured: document.getElementById("as-of").textContent,
	broken: [...document.querySelectorAll('.hop[data-tone="bad"]')].map((hop) => hop.dataset.id),
	blamed: [".what", ".mend"].map((part) => document.querySelector("#issues li " + part)?.textContent ?? "").join(" ").trim(),
	loads: window.loads ?? -1, since: window.since,
})`

const firstPaint = `performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? -1`

// browser is a tab of a real Chromium.
type browser struct {
	ctx      context.Context
	pictures string
	tolerant atomic.Bool
	mu       sync.Mutex
	faults   []string
}

var _ viewer = (*browser)(nil)

// openBrowser opens url in a Chromium with a profile of its own.
func openBrowser(t *testing.T, path, url string) *browser {
	t.Helper()
	allocator, stop := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1360, 900), chromedp.WSURLReadTimeout(time.Minute),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true))
	ctx, cancel := chromedp.NewContext(allocator)
	b := &browser{ctx: ctx, pictures: os.Getenv(picturesEnv)}
	messages := chromedp.Console(ctx) // starts the browser, which lives as long as ctx
	var wg sync.WaitGroup
	wg.Go(func() { // ends with the tab
		for m, err := range messages {
			if err != nil {
				return
			}
			b.note(m)
		}
	})
	t.Cleanup(func() {
		cancel()
		stop()
		chromedp.FromContext(ctx).Allocator.Wait() // its profile is removed next
		wg.Wait()
	})
	b.do(t, chromedp.EmulateViewport(1360, 900), chromedp.Navigate(url))
	get(t, b, chromedp.Evaluate[any](watch))
	return b
}

// note keeps what a browser's console shows as a fault. While health is away
// each attempt to connect is one.
func (b *browser) note(m chromedp.ConsoleMessage) {
	if !m.IsException() && m.Type != "error" && m.Type != "warning" || m.Source == "network" && b.tolerant.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, m.String())
}

func (b *browser) do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	for _, step := range steps {
		get(t, b, step)
	}
}

// get has the browser do something and returns what comes of it.
func get[T any](t *testing.T, b *browser, action chromedp.Action[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, browserWithin)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatalf("browser: %v", err)
	}
	return value
}

func (b *browser) look(t *testing.T) view {
	t.Helper()
	return get(t, b, chromedp.Evaluate[view](read))
}

// picture keeps the page as it is seen on a desk, by day and by night, and on a
// phone.
func (b *browser) picture(t *testing.T, name string) {
	t.Helper()
	if b.pictures == "" {
		return
	}
	for _, form := range []struct {
		name, scheme  string
		width, height int64
	}{{"phone", "light", 390, 844}, {"dark", "dark", 1360, 900}, {"desktop", "light", 1360, 900}} {
		_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: form.scheme}},
		})
		if err != nil {
			t.Fatalf("browser: %v", err)
		}
		// The next second's word draws what depends on the size.
		b.do(t, chromedp.EmulateViewport(form.width, form.height), chromedp.Sleep(1200*time.Millisecond))
		image := get(t, b, chromedp.FullScreenshot(100))
		if err := os.WriteFile(filepath.Join(b.pictures, "dashboard-"+name+"-"+form.name+".png"), image, 0o600); err != nil {
			t.Fatalf("take a picture: %v", err)
		}
	}
}

func (b *browser) expectFaults(expected bool) { b.tolerant.Store(expected) }

func (b *browser) close(t *testing.T) {
	t.Helper()
	painted := get(t, b, chromedp.Evaluate[float64](firstPaint))
	t.Logf("first paint after %.0f ms", painted)
	if painted < 0 || painted > float64(firstPaintWithin.Milliseconds()) {
		t.Errorf("first paint after %.0f ms", painted)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, fault := range b.faults {
		t.Errorf("the console shows: %s", fault)
	}
}
