package service

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/nats-io/nats.go/micro"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// Requests are rare and short: of a flood, what comes beyond is let go.
const (
	maxRequests     = 16
	maxRequestBytes = 16 << 10
	maxPendingBytes = maxRequests * maxRequestBytes
)

// Endpoint answers one kind of request.
type Endpoint struct {
	// Name of the endpoint: the last word of its subject.
	Name string
	// Description in one line, and Body: what a request holds. Where Body is
	// empty it holds nothing, and one that does is refused.
	Description, Body string
	// Each has every process that runs the service answer for itself. Else one
	// of them does.
	Each bool
	// Timeout is how long an answer may take. Defaults to 4 s.
	Timeout time.Duration
	// Handle answers with what is encoded as JSON. An error that is no [Refusal]
	// counts as internal.
	Handle func(ctx context.Context, body []byte) (any, error)
}

func (e Endpoint) options(service string) []micro.EndpointOpt {
	metadata := map[string]string{"description": e.Description}
	if e.Body != "" {
		metadata["body"] = e.Body
	}
	options := []micro.EndpointOpt{
		micro.WithEndpointSubject(stream.ControlSubject(service, e.Name)),
		micro.WithEndpointMetadata(metadata),
		micro.WithEndpointPendingLimits(maxRequests, maxPendingBytes),
	}
	if e.Each {
		options = append(options, micro.WithEndpointQueueGroupDisabled())
	}
	return options
}

// handler answers one request after the other.
func (s *Service) handler(ctx context.Context, e Endpoint) micro.Handler {
	return micro.ContextHandler(ctx, func(ctx context.Context, r micro.Request) {
		ctx, cancel := context.WithTimeout(ctx, cmp.Or(e.Timeout, patience))
		defer cancel()
		answer, err := e.answer(ctx, r.Data())
		if err == nil {
			err = r.RespondJSON(answer)
		} else {
			refusal := refusalOf(err)
			s.log.Debug("request refused", "subject", r.Subject(), "code", refusal.Code, "err", err)
			// A header is one line.
			err = r.Error(refusal.Code, strings.Join(strings.Fields(refusal.Error()), " "), nil)
		}
		if err != nil {
			s.log.Debug("request not answered", "subject", r.Subject(), "err", err)
		}
	})
}

func (e Endpoint) answer(ctx context.Context, body []byte) (any, error) {
	switch {
	case len(body) > maxRequestBytes:
		return nil, Refuse(TooLarge, "the request has %d bytes: give at most %d", len(body), maxRequestBytes)
	case e.Body == "" && !nothing(body):
		return nil, Refuse(BadRequest, "%s takes nothing: leave the request empty", e.Name)
	}
	return e.Handle(ctx, body)
}

// nothing is whether a request says nothing.
func nothing(body []byte) bool {
	body = bytes.TrimSpace(body)
	return len(body) == 0 || string(body) == "{}"
}

// Decode reads a request's JSON object; what is no such is a [Refusal]. One that
// is empty leaves into as it is.
func Decode(body []byte, into any) error {
	if nothing(body) {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return Refuse(BadRequest, "the request cannot be read: %w", err)
	}
	if decoder.More() {
		return Refuse(BadRequest, "the request goes on behind its JSON object: give one")
	}
	return nil
}
