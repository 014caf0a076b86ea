package worker

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// replied is a message with nothing but where to acknowledge it.
type replied struct {
	jetstream.Msg
	at string
}

func (r replied) Reply() string { return r.at }

func TestMessage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reply                                  string
		delivered, sequence, storedAt, pending uint64
		ok                                     bool
	}{
		{"$JS.ACK.TICKS.pipeline_0.1.77.5.1700000000123456789.42", 5, 77, 1700000000123456789, 42, true},
		{"$JS.ACK.hub.ACCHASH.TICKS.pipeline_0.1.77.5.1700000000123456789.42", 5, 77, 1700000000123456789, 42, true},
		{"$JS.ACK._.ACCHASH.TICKS.pipeline_0.1.77.5.1700000000123456789.42.token", 5, 77, 1700000000123456789, 42, true},
		{"$JS.ACK.TICKS.pipeline_0.1.12345678.123456789012.9.0", 123456789012, 12345678, 9, 0, true},
		{"$JS.ACK.TICKS.pipeline_0.1.18446744073709551615.1.1700000000123456789.12345678", 1, 18446744073709551615, 1700000000123456789, 12345678, true},
		{"_INBOX.a.b.c.d.e.f.g.h", 0, 0, 0, 0, false},
		{"$JS.ACK.TICKS.pipeline_0.1.x.5.1700000000123456789.42", 0, 0, 0, 0, false},
		{"", 0, 0, 0, 0, false},
	} {
		m, ok := newMessage(replied{at: c.reply})
		if ok != c.ok {
			t.Errorf("%q: ok is %v", c.reply, ok)
		}
		if ok && (m.delivered != c.delivered || m.sequence != c.sequence || m.storedAt != int64(c.storedAt) || m.pending != c.pending) {
			t.Errorf("%q: %+v", c.reply, m)
		}
	}
}
