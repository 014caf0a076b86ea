package bridge

import (
	"unsafe"

	"github.com/nats-io/nats.go"
)

// outgoing makes the messages of a batch, in memory that the next batch uses
// again: a message with its header is six allocations otherwise.
type outgoing struct {
	slots []*slot
	used  int
}

type slot struct {
	msg nats.Msg
	id  [1]string // the header's value
}

// make is a message with an id, to be used until the next reset.
func (o *outgoing) make(subject, id string, data []byte) *nats.Msg {
	if o.used == len(o.slots) {
		s := &slot{}
		s.msg.Header = nats.Header{idHeader: s.id[:]}
		o.slots = append(o.slots, s)
	}
	s := o.slots[o.used]
	o.used++
	if len(s.msg.Header) > 1 { // those of an atomic batch
		clear(s.msg.Header)
		s.msg.Header[idHeader] = s.id[:]
	}
	s.msg.Subject, s.msg.Reply, s.msg.Data, s.id[0] = subject, "", data, id
	return &s.msg
}

// reset takes all messages back, and lets go of their payloads.
func (o *outgoing) reset() {
	for _, s := range o.slots[:o.used] {
		s.msg.Data = nil
	}
	o.used = 0
}

// readOnly are the bytes of a string, not a copy of them: nobody on the way to
// the server writes to a payload.
func readOnly(text string) []byte {
	return unsafe.Slice(unsafe.StringData(text), len(text))
}
