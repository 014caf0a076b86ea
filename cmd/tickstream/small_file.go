package main

import (
	"fmt"
	"io"
	"os"
)

// maxSmallFile is more than any secret or certificate has.
const maxSmallFile = 1 << 20

// readSmall reads a file of at most [maxSmallFile] bytes.
func readSmall(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the file
	}
	defer func() { _ = file.Close() }() // it was only read from
	content, err := io.ReadAll(io.LimitReader(file, maxSmallFile+1))
	if err != nil {
		return nil, err //nolint:wrapcheck // as above
	}
	if len(content) > maxSmallFile {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, maxSmallFile)
	}
	return content, nil
}
