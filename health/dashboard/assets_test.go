package dashboard_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tickstock/tickstream/health/cause"
	"github.com/tickstock/tickstream/health/dashboard"
)

const mostBytes = 200 << 10

// All that browsers get, as it is embedded, without compression.
func TestPageIsSmall(t *testing.T) {
	b := newBed(t, dashboard.Config{}, nil)
	total := 0
	err := filepath.WalkDir("assets", func(name string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		code, body := b.ask(http.MethodGet, strings.TrimPrefix(filepath.ToSlash(name), "assets"), "")
		if code != http.StatusOK || body == "" {
			t.Errorf("%s: %d", name, code)
		}
		total += len(body)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if total == 0 || total > mostBytes {
		t.Errorf("the page is %d bytes, the bound is %d", total, mostBytes)
	}
	t.Logf("the page is %d bytes in all", total)
}

// The page itself says that health is gone, in the words of everybody else.
func TestPageHasTheWordsForHealthThatIsGone(t *testing.T) {
	b := newBed(t, dashboard.Config{}, nil)
	_, script := b.ask(http.MethodGet, "/js/status.js", "")
	for _, words := range []string{cause.HealthDead.Says + ": ", cause.HealthDead.Mend} {
		if !strings.Contains(script, words) {
			t.Errorf("the page does not say %q", words)
		}
	}
}

// What a strict content security policy forbids is not in the page, and what the
// page asks for is there.
func TestPageHoldsNothingInline(t *testing.T) {
	b := newBed(t, dashboard.Config{}, nil)
	code, page := b.ask(http.MethodGet, "/", "")
	if code != http.StatusOK || !strings.Contains(page, `<html lang="en">`) {
		t.Fatalf("the page: %d", code)
	}
	for name, pattern := range map[string]string{
		"a script inside": `<script(?:\s+(?:defer|type="module"))*\s*>`, "a style inside": `<style|\sstyle=`,
		"a handler inside": `\son[a-z]+=`, "something from elsewhere": `(?:src|href)="(?:https?:)?//`,
	} {
		if found := regexp.MustCompile(pattern).FindString(page); found != "" {
			t.Errorf("%s: %s", name, found)
		}
	}
	for _, reference := range regexp.MustCompile(`(?:src|href)="([^"#]+\.(?:js|css|svg))"`).FindAllStringSubmatch(page, -1) {
		if code, _ := b.ask(http.MethodGet, "/"+reference[1], ""); code != http.StatusOK {
			t.Errorf("%s: %d", reference[1], code)
		}
	}
	// Every element that a script looks up is in the page.
	scripts, err := filepath.Glob("assets/js/*.js")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("scripts: %v", err)
	}
	looked := 0
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range regexp.MustCompile(`\$\("([^"]+)"\)`).FindAllStringSubmatch(string(text), -1) {
			looked++
			if !strings.Contains(page, `id="`+id[1]+`"`) {
				t.Errorf("%s looks for #%s, which is not in the page", script, id[1])
			}
		}
	}
	if looked == 0 {
		t.Error("no script looks anything up")
	}
}

func TestWhatBrowsersAreTold(t *testing.T) {
	b := newBed(t, dashboard.Config{}, nil)
	response, err := http.Get(b.url + "/js/main.js")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if kind := response.Header.Get("Content-Type"); kind != "text/javascript; charset=utf-8" {
		t.Errorf("a script is %s", kind)
	}
	if code, body := b.ask(http.MethodGet, "/js/main.js", "", "If-None-Match", response.Header.Get("ETag")); code != http.StatusNotModified || body != "" {
		t.Errorf("asked whether it changed: %d, %d bytes", code, len(body))
	}
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if policy := response.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'") || strings.Contains(policy, "unsafe") {
		t.Errorf("the content security policy is %q", policy)
	}
	for path, want := range map[string]int{"/nothing": 404, "/js/": 404, "/assets/index.html": 404, "/index.html": 200} {
		if code, _ := b.ask(http.MethodGet, path, ""); code != want {
			t.Errorf("%s = %d, want %d", path, code, want)
		}
	}
}
