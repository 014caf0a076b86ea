package session

import (
	"fmt"
	"time"

	"github.com/tickstock/tickstream/pipeline/event"
)

// repeatWindow is how long after its end a session's stop is worth telling to
// whoever may have missed it. It is within JetStream's duplicate window.
const repeatWindow = time.Minute

// Announcement is one session event to send; exactly one of the two is set.
type Announcement struct {
	// ID is the same whenever the same thing is told again.
	ID      string
	Started *event.SessionStarted
	Stopped *event.SessionStopped
}

// Announcements are the events that bring listeners who were told of the
// session as told up to current. With repeat they are told of what holds even
// if they may know it.
func Announcements(told, current Record, repeat bool, now time.Time) []Announcement {
	if current.IsZero() {
		return nil
	}
	recent := func(end *event.SessionEnd) bool { return end != nil && now.Sub(end.StoppedAt.Time) < repeatWindow }
	var out []Announcement
	other := told.SessionID != current.SessionID
	switch {
	case other && told.Active():
		out = append(out, stopped(endOf(told, current), now))
	case repeat && recent(current.Previous):
		out = append(out, stopped(*current.Previous, now))
	}
	if current.Active() {
		if other || repeat || !told.Same(current) {
			out = append(out, started(current, now))
		}
		return out
	}
	if other && !told.IsZero() {
		out = append(out, started(current, now)) // began and ended unheard
	}
	if other && !told.IsZero() || told.Active() || repeat && recent(current.End) {
		out = append(out, stopped(*current.End, now))
	}
	return out
}

// endOf is how the session that listeners believe to run has ended: as the
// current record remembers, else superseded by that one.
func endOf(told, current Record) event.SessionEnd {
	if current.Previous != nil && current.Previous.SessionID == told.SessionID {
		return *current.Previous
	}
	return event.SessionEnd{
		SessionID: told.SessionID, StoppedAt: current.StartedAt,
		DurationSeconds: int64(max(0, current.StartedAt.Sub(told.StartedAt.Time)) / time.Second),
		FinalStatus:     event.FinalFailed,
	}
}

func started(r Record, now time.Time) Announcement {
	session := r.Session
	session.Status = statusActive
	e := event.NewSessionStarted(session, now)
	return Announcement{ID: fmt.Sprintf("session-started-%s-%d", r.SessionID, r.UpdatedAt.UnixMilli()), Started: &e}
}

func stopped(end event.SessionEnd, now time.Time) Announcement {
	e := event.NewSessionStopped(end, now)
	return Announcement{ID: "session-stopped-" + end.SessionID, Stopped: &e}
}
