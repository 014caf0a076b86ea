package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// Ask sends a request to subject and decodes the answer. What the service
// refuses is a [Refusal]; where none is there, it is [nats.ErrNoResponders].
func Ask(ctx context.Context, nc *nats.Conn, subject string, body []byte, into any) error {
	reply, err := nc.RequestWithContext(ctx, subject, body)
	if err != nil {
		return fmt.Errorf("ask %s: %w", subject, err)
	}
	if code := reply.Header.Get(micro.ErrorCodeHeader); code != "" {
		return &Refusal{Code: code, err: errors.New(reply.Header.Get(micro.ErrorHeader))}
	}
	if err := json.Unmarshal(reply.Data, into); err != nil {
		return fmt.Errorf("read the answer of %s: %w", subject, err)
	}
	return nil
}
