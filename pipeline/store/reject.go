package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

const (
	rejectReason   = "database"
	maxRejectBytes = 64 << 10
)

// reject puts what the database refuses where an operator finds it. The message
// id is the event's place in its stream, so that a second refusal of it within
// the duplicate window is the same reject.
func reject(ctx context.Context, js jetstream.JetStream, refused []refusal) error {
	ctx, cancel := context.WithTimeout(ctx, natsTimeout)
	defer cancel()
	for _, r := range refused {
		msg, err := rejectMessage(r)
		if err == nil {
			_, err = js.PublishMsg(ctx, msg)
		}
		if err != nil {
			return fmt.Errorf("store a reject: %w", err)
		}
	}
	return nil
}

func rejectMessage(r refusal) (*nats.Msg, error) {
	meta, err := r.message.Metadata()
	if err != nil {
		return nil, fmt.Errorf("read where the message comes from: %w", err)
	}
	payload := r.message.Data()
	msg := nats.NewMsg(stream.RejectSubject(rejectReason))
	msg.Data = payload[:min(len(payload), maxRejectBytes)]
	msg.Header.Set(nats.MsgIdHdr, fmt.Sprintf("%s-%s-%d", rejectReason, meta.Stream, meta.Sequence.Stream))
	msg.Header.Set(event.HeaderRejectReason, rejectReason)
	msg.Header.Set(event.HeaderRejectDetail, headerText(r.detail))
	msg.Header.Set(event.HeaderRejectSource, headerText(fmt.Sprintf("%s %d %s", meta.Stream, meta.Sequence.Stream, r.message.Subject())))
	msg.Header.Set(event.HeaderRejectReceivedAt, meta.Timestamp.UTC().Format(time.RFC3339Nano))
	if len(payload) > maxRejectBytes {
		msg.Header.Set(event.HeaderRejectSize, strconv.Itoa(len(payload)))
	}
	return msg, nil
}

// headerText makes text fit a header line.
func headerText(text string) string {
	text = strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return ' '
		}
		return c
	}, text)
	return text[:min(len(text), 2048)]
}
