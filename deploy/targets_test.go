//go:build !race

// The race detector takes a minute for what goes without it in seconds, and has
// nothing to find here.

package deploy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// goPackage is what `go list` tells of one.
type goPackage struct {
	ImportPath, Dir string
	GoFiles         []string
	ImportMap       map[string]string
	Module          *struct{ Main bool }
	Error           *struct{ Err string }
}

// Each target of a release has all that our code calls: everything of ours is
// type-checked as for that system, and the declarations of all that it imports.
// A build would take a minute for each.
func TestReleaseTargetsTypeCheck(t *testing.T) {
	build := readRelease(t).Builds[0]
	targets := build.list()
	for _, want := range []string{"linux/amd64", "linux/arm64", "darwin/arm64", "windows/amd64"} {
		if !slices.Contains(targets, want) {
			t.Errorf("%s is not among the targets %q", want, targets)
		}
	}
	var all sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for _, target := range targets {
		all.Go(func() { // ends with its check
			slots <- struct{}{}
			defer func() { <-slots }()
			if err := typeCheck(t, target, build.Main, build.Env); err != nil {
				t.Errorf("%s: %v", target, err)
			}
		})
	}
	all.Wait()
}

func typeCheck(t *testing.T, target, main string, env []string) error {
	system, processor, _ := strings.Cut(target, "/")
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Dir,GoFiles,ImportMap,Module,Error", main)
	list.Dir = ".."
	list.Env = append(append(os.Environ(), env...), "GOOS="+system, "GOARCH="+processor)
	out, err := list.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("go list: %s", exit.Stderr)
	} else if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	files, done, ours := token.NewFileSet(), map[string]*types.Package{"unsafe": types.Unsafe}, 0
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("read go list: %w", err)
		}
		if p.Error != nil {
			return errors.New(p.Error.Err)
		}
		if p.ImportPath == "unsafe" {
			continue
		}
		mine := p.Module != nil && p.Module.Main
		if mine {
			ours++
		}
		checked, err := p.check(files, done, processor, mine)
		if err != nil && mine {
			return err
		}
		done[p.ImportPath] = checked
	}
	if ours < 10 {
		return fmt.Errorf("only %d packages of ours were checked", ours)
	}
	return nil
}

// check type-checks one whose imports are done. Of what is not ours only the
// declarations are looked at.
func (p goPackage) check(files *token.FileSet, done map[string]*types.Package, processor string, mine bool) (*types.Package, error) {
	var parsed []*ast.File
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(files, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("parse: %w", err)
		}
		parsed = append(parsed, file)
	}
	cfg := types.Config{
		IgnoreFuncBodies: !mine, FakeImportC: true, Sizes: types.SizesFor("gc", processor),
		Importer: importer(func(path string) (*types.Package, error) {
			if mapped, ok := p.ImportMap[path]; ok {
				path = mapped
			}
			if done[path] == nil {
				return nil, fmt.Errorf("%s is not there", path)
			}
			return done[path], nil
		}),
	}
	if !mine {
		cfg.Error = func(error) {} // unused imports of bodies that are not looked at
	}
	return cfg.Check(p.ImportPath, files, parsed, nil) //nolint:wrapcheck // it says where
}

type importer func(path string) (*types.Package, error)

func (i importer) Import(path string) (*types.Package, error) { return i(path) }
