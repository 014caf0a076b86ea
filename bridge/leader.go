package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// leaderRequest asks for the first message at or after a place.
type leaderRequest struct {
	Seq       uint64     `json:"seq,omitempty"`
	StartTime *time.Time `json:"start_time,omitempty"`
	// Any is ">": a message of any subject, with which the place is where to
	// begin and not what to get.
	Any string `json:"next_by_subj"`
}

type leaderReply struct {
	Error   *jetstream.APIError `json:"error"`
	Message *struct {
		Sequence uint64 `json:"seq"`
		Header   []byte `json:"hdrs"`
	} `json:"message"`
}

// atLeader gets the first message at or after a place from the stream's leader,
// and never from a replica that may be behind, which is what a client library
// asks. It returns [jetstream.ErrMsgNotFound] where there is none.
func atLeader(ctx context.Context, js jetstream.JetStream, stream string, request leaderRequest) (seq uint64, id string, err error) {
	request.Any = ">"
	// Of numbers, strings and times.
	body, _ := json.Marshal(request)
	msg, err := js.Conn().RequestWithContext(ctx, apiPrefix(js)+"STREAM.MSG.GET."+stream, body)
	if err != nil {
		return 0, "", fmt.Errorf("ask the leader of %s for a message: %w", stream, err)
	}
	var reply leaderReply
	if err := json.Unmarshal(msg.Data, &reply); err != nil {
		return 0, "", fmt.Errorf("read what the leader of %s answered: %w", stream, err)
	}
	if reply.Error != nil {
		if reply.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound {
			return 0, "", jetstream.ErrMsgNotFound
		}
		return 0, "", fmt.Errorf("ask the leader of %s for a message: %w", stream, reply.Error)
	}
	if reply.Message == nil {
		return 0, "", fmt.Errorf("the leader of %s answered without a message", stream)
	}
	if len(reply.Message.Header) > 0 {
		header, err := nats.DecodeHeadersMsg(reply.Message.Header)
		if err != nil {
			return 0, "", fmt.Errorf("read the header of message %d of %s: %w", reply.Message.Sequence, stream, err)
		}
		id = header.Get(nats.MsgIdHdr)
	}
	return reply.Message.Sequence, id, nil
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
