package service

import (
	"context"
	"errors"
	"fmt"
)

// The codes of refusals, as HTTP has them.
const (
	BadRequest  = "400" // what was asked for cannot be read
	Conflict    = "409" // not now, for what is so already
	TooLarge    = "413"
	Unfit       = "422" // it can be read, and must not or cannot be done
	Internal    = "500"
	Unavailable = "503" // what it needs is away
)

// Refusal is why a request is not done, for the one who asked.
type Refusal struct {
	Code string
	err  error
}

// Refuse makes a refusal; format is that of [fmt.Errorf].
func Refuse(code, format string, args ...any) *Refusal {
	return &Refusal{Code: code, err: fmt.Errorf(format, args...)}
}

func (r *Refusal) Error() string { return r.err.Error() }
func (r *Refusal) Unwrap() error { return r.err }

// refusalOf is err as the one who asked is told it.
func refusalOf(err error) *Refusal {
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return refusal
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return Refuse(Unavailable, "not answered in time: %w", err)
	}
	return Refuse(Internal, "%w", err)
}
