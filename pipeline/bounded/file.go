// Package bounded reads what others wrote, and no more of it than there can
// rightly be.
package bounded

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrTooLong is in the error of what is longer than it may be.
var ErrTooLong = errors.New("too long")

// File reads a file of at most limit bytes.
func File(path string, limit int) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the file
	}
	defer func() { _ = file.Close() }() // it was only read from
	content, err := io.ReadAll(io.LimitReader(file, int64(limit)+1))
	if err != nil {
		return nil, err //nolint:wrapcheck // as above
	}
	if len(content) > limit {
		return nil, fmt.Errorf("%s is %w: at most %d bytes", path, ErrTooLong, limit)
	}
	return content, nil
}
