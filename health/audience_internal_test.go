package health

import (
	"testing"
	"time"
)

// Only whoever listened as AppV2 does is missed.
func TestAudienceKnowsAppV2(t *testing.T) {
	start := time.Date(2025, time.October, 7, 16, 0, 0, 0, time.UTC)
	type look struct {
		health  int64
		others  []int64
		missing bool
	}
	for name, looks := range map[string][]look{
		"nobody":                  {{0, []int64{0, 0}, false}},
		"people who look in":      {{1, []int64{0, 0}, false}, {0, []int64{0, 0}, false}},
		"AppV2":                   {{1, []int64{1, 1}, false}, {0, []int64{0, 0}, true}, {0, []int64{0, 0}, true}},
		"AppV2 that comes again":  {{1, []int64{1, 1}, false}, {0, []int64{0, 0}, true}, {1, []int64{1, 1}, false}},
		"AppV2, and then people":  {{2, []int64{1, 1}, false}, {1, []int64{0, 0}, false}, {0, []int64{0, 0}, true}},
		"AppV2 as it subscribes":  {{1, []int64{1, 0}, false}, {1, []int64{1, 1}, false}, {0, []int64{0, 0}, true}},
		"AppV2 that lost a topic": {{1, []int64{1, 1}, false}, {0, []int64{1, 1}, true}},
	} {
		m := &Monitor{cfg: Config{Alone: true}, redisBus: &redisBus{}}
		if m.audience() != nil {
			t.Errorf("%s: known before anybody looked", name)
		}
		left := time.Time{}
		for i, l := range looks {
			now := start.Add(time.Duration(i) * time.Second)
			if l.missing && left.IsZero() {
				left = now
			} else if !l.missing {
				left = time.Time{}
			}
			m.redisBus.audience.note(l.health, l.others, now)
			if r := m.Report(); r.Listeners != l.health || !r.LeftAt.Equal(left) {
				t.Errorf("%s, look %d: %+v, want %d and %v", name, i, r, l.health, left)
			}
			if a := m.audience(); l.missing && (a == nil || !a.LeftAt.Equal(left)) || l.others[1] == 0 && i == 0 && a != nil {
				t.Errorf("%s, look %d: the judge is told %+v", name, i, a)
			}
		}
	}
}
