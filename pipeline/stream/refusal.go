package stream

import (
	"errors"

	"github.com/nats-io/nats.go/jetstream"
)

// What the server says of a stream or bucket that it will never take as asked.
const (
	insufficientStorage jetstream.ErrorCode = 10047 // max_bytes exceed what JetStream may still reserve
	invalidConfig       jetstream.ErrorCode = 10052
	subjectsOverlap     jetstream.ErrorCode = 10065 // with another stream's
	maxBytesRequired    jetstream.ErrorCode = 10113 // by the account
	unknownField        jetstream.ErrorCode = 10025 // to a server that is strict and too old
)

// lasting tells what waiting cannot mend. Everything else may pass, such as a
// cluster that has lost a member, moves a stream, or reaches a limit for now.
func lasting(err error) bool {
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrServerTooOld) {
		return true
	}
	switch codeOf(err) {
	case insufficientStorage, invalidConfig, subjectsOverlap, maxBytesRequired:
		return true
	}
	return false
}

// codeOf is the server's code; 0 where err is not the server's.
func codeOf(err error) jetstream.ErrorCode {
	var api jetstream.JetStreamError
	if !errors.As(err, &api) || api.APIError() == nil {
		return 0
	}
	return api.APIError().ErrorCode
}

// mend says what to do about a refusal of the server.
func mend(err error) string {
	switch codeOf(err) {
	case insufficientStorage:
		return "; give the server more JetStream file storage, or lower ticks max bytes"
	case maxBytesRequired:
		return "; the account demands a size of each stream: let it be unlimited for this account"
	case subjectsOverlap:
		return "; another stream stores the same subjects: delete or change that one, or point tickstream at another account"
	}
	return ""
}
