package deploy_test

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// releaseEnv names the variable that has the release built, which takes a minute
// where nothing is in Go's cache.
const releaseEnv = "TICKSTREAM_TEST_RELEASE"

// release is what the tests look at of goreleaser.yaml.
type release struct {
	Builds []struct {
		Main    string
		Env     []string
		Flags   []string
		LDFlags []string `yaml:"ldflags"`
		Targets `yaml:",inline"`
	}
	Archives []struct{ Files []struct{ Src string } }
}

// Targets are what a release is built for.
type Targets struct {
	GOOS   []string `yaml:"goos"`
	GOARCH []string `yaml:"goarch"`
	Ignore []struct{ GOOS, GOARCH string }
}

func readRelease(t *testing.T) release {
	t.Helper()
	var r release
	if err := yaml.Unmarshal([]byte(read(t, "goreleaser.yaml")), &r); err != nil {
		t.Fatalf("parse goreleaser.yaml: %v", err)
	}
	if len(r.Builds) != 1 {
		t.Fatalf("%d builds", len(r.Builds))
	}
	return r
}

// list is the targets that are not ignored.
func (targets Targets) list() []string {
	var all []string
	for _, system := range targets.GOOS {
		for _, processor := range targets.GOARCH {
			if !slices.ContainsFunc(targets.Ignore, func(i struct{ GOOS, GOARCH string }) bool { return i.GOOS == system && i.GOARCH == processor }) {
				all = append(all, system+"/"+processor)
			}
		}
	}
	return all
}

// What goes into the archives beside the binary is there.
func TestReleaseHoldsFilesThatExist(t *testing.T) {
	for _, archive := range readRelease(t).Archives {
		if len(archive.Files) == 0 {
			t.Error("an archive has no license")
		}
		for _, file := range archive.Files {
			if strings.HasPrefix(file.Src, "dist/") { // made before
				continue
			}
			if found, err := filepath.Glob(filepath.Join("..", file.Src)); err != nil || len(found) == 0 {
				t.Errorf("%s is not there", file.Src)
			}
		}
	}
}

// Two builds by goreleaser.yaml's flags, in two folders, are the same to the
// byte: a static binary that knows its version.
func TestReleaseIsReproducible(t *testing.T) {
	if os.Getenv(releaseEnv) == "" {
		t.Skip("builds the release only where " + releaseEnv + " is set: it takes a minute")
	}
	elsewhere := t.TempDir()
	copySource(t, elsewhere)
	first := buildRelease(t, "..")
	second := buildRelease(t, elsewhere)
	if a, b := sha256.Sum256(first), sha256.Sum256(second); a != b {
		t.Errorf("two builds have %d and %d bytes, and the sums\n%x\n%x", len(first), len(second), a, b)
	}
	binary, err := elf.NewFile(bytes.NewReader(first))
	if err != nil {
		t.Fatalf("read the binary: %v", err)
	}
	if slices.ContainsFunc(binary.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		t.Error("the binary is not static")
	}
}

// copySource copies what is built.
func copySource(t *testing.T, to string) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == "../.git" || path == "../dist" {
			if entry.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		target := filepath.Join(to, strings.TrimPrefix(path, ".."))
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o644)
	})
	if err != nil {
		t.Fatalf("copy the source: %v", err)
	}
}

// buildRelease builds for linux/amd64 as goreleaser does, and returns the binary.
func buildRelease(t *testing.T, dir string) []byte {
	t.Helper()
	build := readRelease(t).Builds[0]
	flags := strings.NewReplacer("{{ .Version }}", "1.2.3", "{{ .ShortCommit }}", "abc1234").Replace(strings.Join(build.LDFlags, " "))
	if strings.Contains(flags, "{{") {
		t.Fatalf("%s: the test does not know whether this is the same at each build", flags)
	}
	out := filepath.Join(t.TempDir(), "tickstream")
	args := slices.Concat([]string{"build", "-buildvcs=false", "-o", out, "-ldflags", flags}, build.Flags, []string{build.Main})
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir, cmd.Env = dir, append(append(os.Environ(), build.Env...), "GOOS=linux", "GOARCH=amd64")
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %q: %v\n%s", args, err, output)
	}
	binary, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"1.2.3", "abc1234"} {
		if !bytes.Contains(binary, []byte(text)) {
			t.Errorf("the binary does not know %s", text)
		}
	}
	return binary
}
