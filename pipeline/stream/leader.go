package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Anything is every subject, for [Place.Next].
const Anything = ">"

// Place names one message of a stream: the one at Seq, the last of the subjects
// Last, or the first of the subjects Next from Seq or Since on.
type Place struct {
	Seq   uint64     `json:"seq,omitempty"`
	Since *time.Time `json:"start_time,omitempty"`
	Last  string     `json:"last_by_subj,omitempty"`
	Next  string     `json:"next_by_subj,omitempty"`
}

type leaderReply struct {
	Error   *jetstream.APIError `json:"error"`
	Message *struct {
		Subject  string    `json:"subject"`
		Sequence uint64    `json:"seq"`
		Header   []byte    `json:"hdrs"`
		Data     []byte    `json:"data"`
		Time     time.Time `json:"time"`
	} `json:"message"`
}

// AtLeader gets a message from the stream's leader, and never from a replica
// that may be behind, which is what a client library asks. The error is
// [jetstream.ErrMsgNotFound] where there is none.
//
// A leader that was cut off from the others answers for some seconds more, so
// what must not be wrong is written on condition of what was read.
func AtLeader(ctx context.Context, js jetstream.JetStream, stream string, place Place) (*jetstream.RawStreamMsg, error) {
	// Of numbers, strings and times.
	body, _ := json.Marshal(place)
	msg, err := js.Conn().RequestWithContext(ctx, apiPrefix(js)+"STREAM.MSG.GET."+stream, body)
	if err != nil {
		return nil, fmt.Errorf("ask the leader of %s for a message: %w", stream, err)
	}
	var reply leaderReply
	if err := json.Unmarshal(msg.Data, &reply); err != nil {
		return nil, fmt.Errorf("read what the leader of %s answered: %w", stream, err)
	}
	if reply.Error != nil {
		if reply.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound {
			return nil, jetstream.ErrMsgNotFound
		}
		return nil, fmt.Errorf("ask the leader of %s for a message: %w", stream, reply.Error)
	}
	if reply.Message == nil {
		return nil, fmt.Errorf("the leader of %s answered without a message", stream)
	}
	found := &jetstream.RawStreamMsg{
		Subject: reply.Message.Subject, Sequence: reply.Message.Sequence, Data: reply.Message.Data, Time: reply.Message.Time,
	}
	if len(reply.Message.Header) > 0 {
		if found.Header, err = nats.DecodeHeadersMsg(reply.Message.Header); err != nil {
			return nil, fmt.Errorf("read the header of message %d of %s: %w", found.Sequence, stream, err)
		}
	}
	return found, nil
}

// apiPrefix is where the JetStream API is, with a dot at its end.
func apiPrefix(js jetstream.JetStream) string {
	switch options := js.Options(); {
	case options.APIPrefix != "":
		return strings.TrimSuffix(options.APIPrefix, ".") + "."
	case options.Domain != "":
		return "$JS." + options.Domain + ".API."
	}
	return jetstream.DefaultAPIPrefix
}
