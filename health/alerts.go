package health

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/pipeline/event"
)

// settleTime is how long an alert may take to be told of by whoever leads.
const settleTime = 3 * time.Second

// alert is a fault that operators are told of.
type alert struct {
	Code      string     `json:"code"`
	Component string     `json:"component"`
	Message   string     `json:"message"`
	Mend      string     `json:"mend"`
	Since     event.Time `json:"since"`
}

// alertKey tells faults apart; the message is not part of it, for it may hold
// a number that changes.
type alertKey struct{ code, component string }

// alertSet are the faults that last. It is never changed once made.
type alertSet map[alertKey]alert

// MarshalJSON writes the alerts as a list.
func (s alertSet) MarshalJSON() ([]byte, error) {
	data, err := json.Marshal(slices.Collect(maps.Values(s)))
	if err != nil {
		return nil, fmt.Errorf("encode alerts: %w", err)
	}
	return data, nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *alertSet) UnmarshalJSON(data []byte) error {
	var list []alert
	if err := json.Unmarshal(data, &list); err != nil {
		return fmt.Errorf("read alerts: %w", err)
	}
	*s = alertSet{}
	for _, a := range list {
		(*s)[alertKey{a.Code, a.Component}] = a
	}
	return nil
}

// next is the set that a verdict makes of s, and whether it is another one.
// While the system starts, not seeing a fault does not mean that it has ended.
func (s alertSet) next(v observe.Verdict, now time.Time) (set alertSet, changed bool) {
	set = alertSet{}
	if v.Status == event.StatusStarting {
		maps.Copy(set, s)
	}
	for _, issue := range v.Issues {
		if !grave(issue) {
			continue
		}
		key := alertKey{issue.Code, issue.Component}
		if known, ok := s[key]; ok {
			set[key] = known
			continue
		}
		set[key] = alert{issue.Code, issue.Component, issue.Sentence, issue.Mend, event.At(now)}
	}
	return set, !maps.EqualFunc(s, set, func(_, _ alert) bool { return true })
}

// before are the alerts that had begun by t.
func (s alertSet) before(t time.Time) alertSet {
	old := maps.Clone(s)
	maps.DeleteFunc(old, func(_ alertKey, a alert) bool { return a.Since.After(t) })
	return old
}

// notice is an alert to send.
type notice struct {
	key   alertKey
	alert alert
	ended bool
}

// notices bring listeners who were told of told up to s: ends first.
func (s alertSet) notices(told alertSet) []notice {
	var out []notice
	for key, a := range told {
		if _, lasts := s[key]; !lasts {
			out = append(out, notice{key, a, true})
		}
	}
	for key, a := range s {
		if _, known := told[key]; !known {
			out = append(out, notice{key, a, false})
		}
	}
	return out
}

func (n notice) event(now time.Time) event.CriticalAlert {
	a := n.alert
	component := a.Component
	if component == "" {
		component = event.Source
	}
	data := map[string]any{"code": a.Code, "since": a.Since}
	if n.ended {
		return event.NewRecovery(component, a.Message, data, now)
	}
	return event.NewCriticalAlert(event.SeverityError, component, a.Message, a.Mend, data, now)
}

// id is the same whenever the same is told again.
func (n notice) id() string {
	what := "began"
	if n.ended {
		what = "ended"
	}
	return "alert-" + n.alert.Code + "-" + n.alert.Component + "-" + strconv.FormatInt(n.alert.Since.UnixMilli(), 10) + "-" + what
}

// told is what listeners know who knew told and got n.
func (n notice) told(told alertSet) alertSet {
	told = maps.Clone(told)
	if told == nil {
		told = alertSet{}
	}
	if n.ended {
		delete(told, n.key)
	} else {
		told[n.key] = n.alert
	}
	return told
}
