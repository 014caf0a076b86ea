package worker

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// tooLate is the reason of a tick whose bar can no longer be corrected.
const tooLate = "too_late"

// A reject must fit a message whatever was refused.
const (
	maxRejectBytes = 64 << 10
	maxDetailBytes = 1 << 10
)

// counters of what was published since the process started.
type counters struct {
	consumed, bars, corrections, signals, rejected, failures atomic.Int64
}

// results encodes what a partition gives into its three outboxes.
type results struct {
	bars, signals, rejects *outbox
	sessions               *sessions
	counters               *counters
	ledger                 *ledger // takes what is published already; nil where nobody compares
	barsDone               func()

	// The message that the results come from.
	sequence uint64
	payload  []byte
	subject  string
	storedAt time.Time
}

func (r *results) Bar(e *event.Bar) {
	e.SessionID = r.sessions.at(e.End.Time)
	if e.Revision > 0 {
		r.counters.corrections.Add(1)
	}
	r.give(r.bars, result{
		subject: stream.BarSubject(e.Timeframe, e.Symbol),
		data:    e.AppendJSON(make([]byte, 0, 320+len(e.Symbol))),
	})
}

// give adds a result to an outbox, or to the ledger where it is published.
func (r *results) give(o *outbox, res result) {
	if !o.add(r.sequence, r.storedAt, res) && r.ledger != nil {
		r.ledger.made(res.data)
	}
}

func (r *results) BarsDone() { r.barsDone() }

func (r *results) Indicator(t *event.IndicatorTemplate, key event.BarKey, values []float64, revision uint32, withdrawn bool) {
	r.give(r.signals, result{
		subject: stream.SignalSubject(event.KindIndicator, t.Name, key.Symbol),
		data:    event.AppendIndicator(make([]byte, 0, 352+len(key.Symbol)), t, key, values, r.sessions.at(key.End.Time), revision, withdrawn, r.sequence),
	})
}

func (r *results) Pattern(e *event.Pattern) {
	e.SessionID, e.Sequence = r.sessions.at(e.End.Time), r.sequence
	r.signal(event.KindPattern, stream.PatternToken(e.Pattern), e.BarKey, e.Revision, e)
}

func (r *results) Alert(e *event.IndicatorAlert) {
	e.SessionID, e.Sequence = r.sessions.at(e.End.Time), r.sequence
	r.signal(event.KindAlert, e.Alert, e.BarKey, 0, e)
}

func (r *results) signal(kind, name string, key event.BarKey, revision uint32, e any) {
	data, err := json.Marshal(e)
	if err != nil {
		// Only a number that is not finite cannot be written, and none is given.
		data = strconv.AppendQuote(nil, err.Error())
	}
	r.give(r.signals, result{
		subject: stream.SignalSubject(kind, name, key.Symbol),
		data:    data,
	})
}

func (r *results) TooLate(t *tick.Tick) {
	r.reject(tooLate, "the bar of "+t.Time().Format(time.RFC3339Nano)+" can no longer be corrected")
}

// reject refuses the message at hand.
func (r *results) reject(reason, detail string) {
	payload := r.payload[:min(len(r.payload), maxRejectBytes)]
	refused := result{
		subject: stream.RejectSubject(reason),
		id:      "ticks." + strconv.FormatUint(r.sequence, 10),
		header: nats.Header{
			event.HeaderRejectReason:     {reason},
			event.HeaderRejectDetail:     {strings.Map(printable, detail[:min(len(detail), maxDetailBytes)])},
			event.HeaderRejectSource:     {r.subject},
			event.HeaderRejectReceivedAt: {r.storedAt.UTC().Format(time.RFC3339Nano)},
		},
		data: bytes.Clone(payload),
	}
	if len(payload) < len(r.payload) {
		refused.header.Set(event.HeaderRejectSize, strconv.Itoa(len(r.payload)))
	}
	r.rejects.add(r.sequence, r.storedAt, refused)
}

func printable(c rune) rune {
	if !strconv.IsPrint(c) {
		return ' '
	}
	return c
}
