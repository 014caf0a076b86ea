package dashboard

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

// assets are the page, as browsers get it. assets/vendor is what others wrote,
// each with its licence; see assets/vendor/README.md.
//
//go:embed assets
var assets embed.FS

type asset struct {
	kind, tag string
	data      []byte
}

// loadAssets reads what is embedded, by path.
func loadAssets() (map[string]asset, error) {
	files := map[string]asset{}
	err := fs.WalkDir(assets, "assets", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := assets.ReadFile(name)
		if err != nil {
			return err //nolint:wrapcheck // wrapped below
		}
		hash := sha256.Sum256(data)
		files[strings.TrimPrefix(name, "assets")] = asset{kindOf(name), `"` + hex.EncodeToString(hash[:8]) + `"`, data}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read what is embedded in this binary: %w", err)
	}
	files["/"] = files["/index.html"]
	return files, nil
}

// serveAssets lets browsers ask whether a file changed.
func serveAssets(files map[string]asset) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		header := w.Header()
		header.Set("Content-Type", file.kind)
		header.Set("Cache-Control", "no-cache")
		header.Set("ETag", file.tag)
		if r.Header.Get("If-None-Match") == file.tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(file.data) // a browser that has gone is no fault
	})
}

// kindOf does not ask the machine, whose list of types may be anything.
func kindOf(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return mime.FormatMediaType("text/plain", map[string]string{"charset": "utf-8"})
}
