package bridge

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tickstock/tickstream/pipeline/event"
)

func TestRejectsAreCutAndBoundedByBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRejecter(nil, "channel", "id.", newAlignment(), nil, quiet)
		large := message{payload: strings.Repeat("x", 10*maxRejectBytes)}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { // ends with cancel
			for {
				if err := r.reject(ctx, 0, false, large, "payload_too_large", ""); err != nil {
					done <- err
					return
				}
			}
		}()
		synctest.Wait()
		if waiting := len(r.waiting) * maxRejectBytes; waiting > rejectQueueBytes || waiting < rejectQueueBytes/2 {
			t.Errorf("%d bytes wait, want the bound of %d", waiting, rejectQueueBytes)
		}
		cancel()
		if err := <-done; err == nil {
			t.Error("reject ended without an error")
		}
		msg := r.encode(<-r.waiting)
		if size := msg.Header.Get(event.HeaderRejectSize); len(msg.Data) != maxRejectBytes || size != strconv.Itoa(len(large.payload)) {
			t.Errorf("kept %d bytes of %q", len(msg.Data), size)
		}
	})
}
