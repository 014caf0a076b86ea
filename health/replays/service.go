package replays

import (
	"context"
	"errors"

	"github.com/tickstock/tickstream/pipeline/service"
)

// ServiceName is the service that starts and stops replays.
const ServiceName = "replay"

// overNATS asks for the replays that end when the service does.
const overNATS = "a request over NATS"

// Service answers requests with the [State]. Only one process may offer it,
// which is that where all requests for a replay go; when it offers it no more,
// a replay that was asked for there ends, since nobody could stop it.
func (r *Replays) Service(by service.Identity) service.Config {
	state := func(err error) (any, error) {
		switch {
		case err == nil:
			return r.State(), nil
		case errors.Is(err, ErrBusy), errors.Is(err, ErrNone):
			return nil, service.Refuse(service.Conflict, "%w", err)
		}
		if refusal, ok := errors.AsType[*service.Refusal](err); ok {
			return nil, refusal
		}
		return nil, service.Refuse(service.Unfit, "%w", err)
	}
	return service.Config{
		Identity: by, Name: ServiceName, Description: "replays stored ticks to a Redis channel, one replay at a time",
		Endpoints: []service.Endpoint{
			{
				Name: "start", Description: "starts a replay",
				Body: `{"from":"-5m","to":"-1m","speed":10,"symbols":["AAPL"],"channel":"tickstock:replay:ticks"}; to, speed (0: as fast as possible) and symbols may be left out`,
				Handle: func(ctx context.Context, body []byte) (any, error) {
					var request Request
					if err := service.Decode(body, &request); err != nil {
						return nil, err
					}
					return state(r.Start(ctx, request, overNATS))
				},
			},
			{Name: "stop", Description: "cancels the replay that runs", Handle: func(context.Context, []byte) (any, error) { return state(r.Stop()) }},
			{Name: "progress", Description: "how far the replay is, or how the last one ended", Handle: func(context.Context, []byte) (any, error) { return state(nil) }},
		},
		Ended: func() { r.stopOf(overNATS) },
	}
}
