package replay_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/tickstock/tickstream/pipeline/replay"
)

func TestWriterWritesALineEach(t *testing.T) {
	for name, c := range map[string]struct{ payload, want string }{
		"as it is":      {`{"symbol": "AAPL",  "price": 1.50}`, `{"symbol": "AAPL",  "price": 1.50}`},
		"several lines": {"{\n  \"symbol\": \"A\\nB\",\r\n  \"price\": 1.50\n}", `{"symbol":"A\nB","price":1.50}`},
		"no JSON":       {"a\nb", "a b"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			w := replay.NewWriter(&out)
			for range 2 {
				if err := w.Write(t.Context(), replay.Message{Payload: []byte(c.payload)}); err != nil {
					t.Fatal(err)
				}
			}
			if out.Len() != 0 {
				t.Error("written before the flush")
			}
			if err := w.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if want := strings.Repeat(c.want+"\n", 2); out.String() != want {
				t.Errorf("got %q, want %q", out.String(), want)
			}
		})
	}
}

type brokenPipe struct{}

var errBroken = errors.New("broken pipe")

func (brokenPipe) Write([]byte) (int, error) { return 0, errBroken }

func TestWriterSaysThatItCannot(t *testing.T) {
	w := replay.NewWriter(brokenPipe{})
	if err := w.Write(t.Context(), replay.Message{Payload: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("error is %v", err)
	}
}
