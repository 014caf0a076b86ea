package stream

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// What a stream must leave room for.
const (
	largestMessage = 128 << 10 // a tick of 64 KiB and its headers, with room
	readers        = 32        // consumers besides one a partition
)

// difference is why a stream cannot be used as it is.
type difference struct {
	text string
	// fixed is whether it was decided when the stream was made.
	fixed bool
}

type differences []difference

func (d differences) String() string {
	texts := make([]string, len(d))
	for i, one := range d {
		texts[i] = one.text
	}
	return strings.Join(texts, "; ")
}

// mend says what an operator can do about them.
func (d differences) mend(stream string) string {
	if slices.ContainsFunc(d, func(one difference) bool { return one.fixed }) {
		return "delete or rename that stream, or point tickstream at another account"
	}
	return "change that by nats stream edit " + stream + ", delete or rename that stream, or point tickstream at another account"
}

// shapeDifferences names what cannot be changed without changing what the
// stream means, or would keep tickstream from its work: have against want.
func shapeDifferences(have, want jetstream.StreamConfig) differences {
	var found differences
	differ := func(fixed bool, field string, have, want any) {
		found = append(found, difference{fmt.Sprintf("%s is %v, wanted %v", field, have, want), fixed})
	}
	haveSubjects, wantSubjects := slices.Sorted(slices.Values(have.Subjects)), slices.Sorted(slices.Values(want.Subjects))
	if !slices.Equal(haveSubjects, wantSubjects) {
		differ(have.Mirror != nil, "subjects", haveSubjects, wantSubjects)
	}
	if have.Storage != want.Storage {
		differ(true, "storage", have.Storage, want.Storage)
	}
	if have.Retention != want.Retention {
		differ(true, "retention", have.Retention, want.Retention)
	}
	if have.Discard != want.Discard {
		differ(false, "discard policy", have.Discard, want.Discard)
	}
	for _, flag := range []struct {
		field             string
		have, want, fixed bool
	}{
		{"allow_atomic", have.AllowAtomicPublish, want.AllowAtomicPublish || have.AllowAtomicPublish, false},
		{"allow_batched", have.AllowBatchPublish, want.AllowBatchPublish || have.AllowBatchPublish, false},
		{"allow_direct", have.AllowDirect, want.AllowDirect || have.AllowDirect, false},
		{"no_ack", have.NoAck, false, false},
		{"sealed", have.Sealed, false, true},
		{"allow_msg_counter", have.AllowMsgCounter, false, true},
	} {
		if flag.have != flag.want {
			differ(flag.fixed, flag.field, flag.have, flag.want)
		}
	}
	switch {
	case want.SubjectTransform == nil && have.SubjectTransform != nil:
		differ(false, "subject transform", have.SubjectTransform.Destination, "none")
	case want.SubjectTransform != nil && have.SubjectTransform == nil:
		differ(false, "subject transform", "none", want.SubjectTransform.Destination)
	}
	return append(found, narrow(have)...)
}

// narrow names the limits under which tickstream would lose what it counts on, or
// be refused for ever. All others are the operator's to set.
func narrow(have jetstream.StreamConfig) differences {
	var found differences
	differ := func(fixed bool, format string, args ...any) {
		found = append(found, difference{fmt.Sprintf(format, args...), fixed})
	}
	if have.PersistMode == jetstream.AsyncPersistMode {
		differ(true, "persist_mode is async, wanted the default: it acknowledges what is not stored")
	}
	if have.MaxMsgsPerSubject > 0 && (have.Name == Ticks || have.Name == Bars) {
		differ(false, "max_msgs_per_subject is %d, wanted no limit: bars and indicators are made of what it would delete", have.MaxMsgsPerSubject)
	}
	if have.MaxMsgSize > 0 && have.MaxMsgSize < largestMessage {
		differ(false, "max_msg_size is %d, wanted at least %d or no limit", have.MaxMsgSize, largestMessage)
	}
	if least := PartitionsOf(have) + readers; have.MaxConsumers > 0 && have.MaxConsumers < least {
		differ(true, "max_consumers is %d, wanted at least %d or no limit", have.MaxConsumers, least)
	}
	if have.ConsumerLimits != (jetstream.StreamConsumerLimits{}) {
		differ(false, "consumer_limits are set, wanted none")
	}
	if len(have.Sources) > 0 {
		differ(false, "it has sources, wanted none: who stores here counts on being alone")
	}
	return found
}
