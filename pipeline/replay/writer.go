package replay

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
)

// Writer is a [Sink] that writes one payload a line (NDJSON). A payload that
// spans lines is compacted; all others stay as they are.
type Writer struct {
	w       *bufio.Writer
	compact bytes.Buffer
}

var _ Sink = (*Writer)(nil)

// NewWriter makes a sink that writes to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: bufio.NewWriterSize(w, 256<<10)} }

// Write implements [Sink].
func (w *Writer) Write(_ context.Context, m Message) error {
	line := m.Payload
	if bytes.ContainsAny(line, "\r\n") {
		line = w.oneLine(line)
	}
	if _, err := w.w.Write(line); err != nil {
		return fmt.Errorf("write line: %w", err)
	}
	if err := w.w.WriteByte('\n'); err != nil {
		return fmt.Errorf("write line: %w", err)
	}
	return nil
}

// oneLine takes the line breaks out, which JSON allows between its tokens only.
func (w *Writer) oneLine(payload []byte) []byte {
	w.compact.Reset()
	if json.Compact(&w.compact, payload) == nil {
		return w.compact.Bytes()
	}
	return bytes.Map(func(r rune) rune {
		if r == '\n' || r == '\r' {
			return ' '
		}
		return r
	}, payload)
}

// Flush implements [Sink].
func (w *Writer) Flush(context.Context) error {
	if err := w.w.Flush(); err != nil {
		return fmt.Errorf("write lines: %w", err)
	}
	return nil
}
