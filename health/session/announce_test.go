package session_test

import (
	"slices"
	"testing"
	"time"

	"github.com/tickstock/tickstream/health/session"
)

func TestAnnouncementsTellWhatIsNew(t *testing.T) {
	morning, evening := ny(t, "2025-10-07 10:00:00"), ny(t, "2025-10-07 16:00:00")
	k := keeper(t, session.ModeMarket, morning)
	k.Step(morning, session.Totals{})
	running := k.Current()
	resumer := keeper(t, session.ModeMarket, morning)
	resumer.Adopt(running)
	resumer.Step(morning.Add(time.Hour), session.Totals{})
	resumed := resumer.Current()
	k.Step(evening, session.Totals{})
	ended := k.Current()
	next := ny(t, "2025-10-08 10:00:00")
	k.Step(next, session.Totals{})
	tomorrow := k.Current()
	k.Step(next.Add(6*time.Hour), session.Totals{})
	tomorrowEnded := k.Current()
	stranger := keeper(t, session.ModeAlways, next)
	stranger.Step(next, session.Totals{})
	other := stranger.Current()

	a, b := running.SessionID, tomorrow.SessionID
	for name, c := range map[string]struct {
		told, current session.Record
		repeat        bool
		now           time.Time
		want          []string
	}{
		"nothing":                      {now: morning},
		"nothing, repeated":            {repeat: true, now: morning},
		"a first session":              {current: running, now: morning, want: []string{"+" + a}},
		"known":                        {told: running, current: running, now: morning},
		"known, repeated":              {told: running, current: running, repeat: true, now: morning, want: []string{"+" + a}},
		"resumed":                      {told: running, current: resumed, now: morning, want: []string{"+" + a}},
		"ended":                        {told: running, current: ended, now: evening, want: []string{"-" + a}},
		"ended, known":                 {told: ended, current: ended, now: evening},
		"ended, told again":            {told: ended, current: ended, repeat: true, now: evening.Add(time.Second), want: []string{"-" + a}},
		"ended long ago":               {told: ended, current: ended, repeat: true, now: evening.Add(time.Hour)},
		"ended before anyone was told": {current: ended, now: evening},
		"the next after the end":       {told: ended, current: tomorrow, now: next, want: []string{"+" + b}},
		"the next, end unheard":        {told: running, current: tomorrow, now: next, want: []string{"-" + a, "+" + b}},
		"a whole session unheard":      {told: running, current: tomorrowEnded, now: next, want: []string{"-" + a, "+" + b, "-" + b}},
		"superseded by a stranger":     {told: running, current: other, now: next, want: []string{"-" + a, "+" + other.SessionID}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, n := range session.Announcements(c.told, c.current, c.repeat, c.now) {
				switch {
				case n.Started != nil && n.Stopped == nil:
					got = append(got, "+"+n.Started.Session.SessionID)
				case n.Stopped != nil && n.Started == nil:
					got = append(got, "-"+n.Stopped.Session.SessionID)
				default:
					t.Fatalf("announcement %+v is not one event", n)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestAnnouncementsKeepTheirID(t *testing.T) {
	now := ny(t, "2025-10-07 10:00:00")
	k := keeper(t, session.ModeMarket, now)
	k.Step(now, session.Totals{})
	first := session.Announcements(session.Record{}, k.Current(), true, now)
	second := session.Announcements(session.Record{}, k.Current(), true, now.Add(time.Second))
	if first[0].ID != second[0].ID {
		t.Errorf("the same announcement has ids %s and %s", first[0].ID, second[0].ID)
	}
	again := keeper(t, session.ModeMarket, now)
	again.Adopt(k.Current())
	again.Step(now.Add(time.Minute), session.Totals{})
	if resumed := session.Announcements(session.Record{}, again.Current(), true, now); resumed[0].ID == first[0].ID {
		t.Error("a resumed session would be taken for a duplicate")
	}
}
