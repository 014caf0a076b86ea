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

// The subject to acknowledge at is $JS.ACK.<stream>.<consumer>.<deliveries>, then
// the numbers below; with a domain and an account before the stream where it has
// eleven tokens or more.
const (
	shortReply  = 9
	longReply   = 11
	replyPrefix = "$JS.ACK."
)

// newMessage reads what the server says of msg as [jetstream.Msg.Metadata] does,
// and allocates nothing. ok is false where it says nothing.
func newMessage(msg jetstream.Msg) (m message, ok bool) {
	var numbers [longReply + 1]uint64 // by token; 0 for one that is none
	reply := msg.Reply()
	if !strings.HasPrefix(reply, replyPrefix) {
		return m, false
	}
	n, isNumber := 2, true
	for i := len(replyPrefix); i < len(reply); i++ {
		switch c := reply[i]; {
		case c == '.':
			if n++; n == len(numbers) {
				return m, false
			}
			isNumber = true
		case c < '0' || c > '9':
			numbers[n], isNumber = 0, false
		case isNumber:
			numbers[n] = numbers[n]*10 + uint64(c-'0')
		}
	}
	first := 5
	switch n++; {
	case n >= longReply:
		first = 7
	case n != shortReply:
		return m, false
	}
	m.Msg = msg
	m.sequence, m.delivered = numbers[first], numbers[first+1]
	m.storedAt, m.pending = int64(numbers[first+2]), numbers[first+3] //nolint:gosec // a time
	return m, m.sequence > 0
}
