package bounded_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tickstock/tickstream/pipeline/bounded"
)

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for length, tooLong := range map[int]bool{0: false, 9: false, 10: false, 11: true, 1 << 20: true} {
		if err := os.WriteFile(path, []byte(strings.Repeat("x", length)), 0o600); err != nil {
			t.Fatal(err)
		}
		content, err := bounded.File(path, 10)
		if errors.Is(err, bounded.ErrTooLong) != tooLong || !tooLong && (err != nil || len(content) != length) {
			t.Errorf("%d bytes: %d, %v", length, len(content), err)
		}
	}
	if _, err := bounded.File(path+"x", 10); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := bounded.File("/dev/zero", 10); !errors.Is(err, bounded.ErrTooLong) {
		t.Errorf("a file without an end: %v", err)
	}
}
