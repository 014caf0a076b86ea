package spool

import (
	"io"
	"os"
)

// File is what a spool needs of a file on disk.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Name() string
	Stat() (os.FileInfo, error)
	Sync() error
	Truncate(size int64) error
}

func openFile(name string, flag int, perm os.FileMode) (File, error) {
	file, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err //nolint:wrapcheck // by the caller
	}
	return file, nil
}

// syncFolder writes a folder's entries through, so that a file made there
// outlives a power cut as its content does.
func syncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return err //nolint:wrapcheck // by the caller
	}
	defer func() { _ = folder.Close() }() // read only
	return folder.Sync()                  //nolint:wrapcheck // by the caller
}
