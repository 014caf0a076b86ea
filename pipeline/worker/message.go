package worker

import (
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// message is one of TICKS.
type message struct {
	jetstream.Msg
	delivered uint64 // how many the consumer has given, with this
	sequence  uint64
	storedAt  int64  // Unix nanoseconds
	pending   uint64 // what the consumer had left to give
}

func (m *message) time() time.Time { return time.Unix(0, m.storedAt) }

// The subject to acknowledge at is $JS.ACK.<stream>.<consumer>.<deliveries>.<stream
// sequence>.<consumer sequence>.<time>.<pending>; with a domain and an account
// before the stream, and maybe more at the end, where it has eleven tokens or more.
const (
	shortReply  = 9
	longReply   = 11
	replyPrefix = "$JS.ACK."
)

// newMessage reads what the server says of msg as [jetstream.Msg.Metadata] does,
// and allocates nothing. ok is false where it says nothing.
func newMessage(msg jetstream.Msg) (m message, ok bool) {
	reply := msg.Reply()
	skipped := 5
	switch n := strings.Count(reply, ".") + 1; {
	case n >= longReply:
		skipped = 7
	case n != shortReply:
		return m, false
	}
	if !strings.HasPrefix(reply, replyPrefix) {
		return m, false
	}
	for range skipped {
		reply = reply[strings.IndexByte(reply, '.')+1:]
	}
	m.Msg = msg
	m.sequence, reply = leadingNumber(reply)
	m.delivered, reply = leadingNumber(reply)
	storedAt, reply := leadingNumber(reply)
	m.storedAt = int64(storedAt) //nolint:gosec // a time
	m.pending, _ = leadingNumber(reply)
	return m, m.sequence > 0
}

// leadingNumber reads the number before the first dot, and returns what is
// behind it. What is no number is 0.
func leadingNumber(s string) (n uint64, rest string) {
	for i := range len(s) {
		c := s[i]
		if c == '.' {
			return n, s[i+1:]
		}
		if c < '0' || c > '9' {
			return 0, s[i+1:]
		}
		n = n*10 + uint64(c-'0')
	}
	return n, ""
}
