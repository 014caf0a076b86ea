package soak

import (
	"cmp"
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tickstock/tickstream/cmd/tickstream/bench/rig"
)

const sampleEvery = 2 * time.Second

// Holding is what a process holds, the median of a while.
type Holding struct {
	Goroutines  int   `json:"goroutines"`
	Descriptors int   `json:"file_descriptors"`
	RSS         int64 `json:"rss_bytes"`
	Disk        int64 `json:"disk_bytes"` // its store or its spool
}

// Holdings is what the processes of one role hold over time.
type Holdings struct {
	Role string `json:"role"`
	// Start, Quarter and End are the first tenth of the run, what is around its
	// first quarter, and its last tenth.
	Start   Holding `json:"start"`
	Quarter Holding `json:"quarter"`
	End     Holding `json:"end"`
	Flat    bool    `json:"flat"`
}

// usage samples what all processes hold.
type usage struct {
	system  *rig.System
	watch   *watch
	samples map[string][]Holding // by role
}

func newUsage(system *rig.System, w *watch) *usage {
	return &usage{system: system, watch: w, samples: map[string][]Holding{}}
}

func (u *usage) run(ctx context.Context) {
	for ctx.Err() == nil {
		u.sample(ctx)
		pause(ctx, sampleEvery)
	}
}

// youngest is how old a process is at least when it is measured.
const youngest = 2 * time.Second

func (u *usage) sample(ctx context.Context) {
	looking, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	reports, _ := u.watch.reports(looking, time.Time{}) // none while NATS is away
	take := func(role string, p *rig.Process, goroutines int, folder string) {
		held, err := p.Measure()
		if err != nil || goroutines == 0 || time.Since(p.Born()) < youngest {
			return
		}
		h := Holding{Goroutines: goroutines, Descriptors: held.Descriptors, RSS: int64(held.RSS)} //nolint:gosec // sizes
		if folder != "" {
			h.Disk = rig.DiskBytes(folder)
		}
		u.samples[role] = append(u.samples[role], h)
	}
	for _, m := range u.system.Members() {
		role, _, _ := strings.Cut(m.Name, " ")
		take(role, m.Process, reports[m.PID()].Usage.Goroutines, m.Spool)
	}
	take("nats", u.system.NATS, noted(u.system.GoroutineFile("nats")), u.system.NATSFolder())
	if redis := u.system.Redis; redis != nil && !u.system.RealRedis {
		take("redis", redis, noted(u.system.GoroutineFile("redis")), "")
	} else if redis != nil {
		take("redis", redis, 1, "") // it has none
	}
}

func noted(file string) int {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(text))) // half written: not this time
	return n
}

// What may be added between the quarter and the end without being a leak, and
// by which factor what was there may grow: garbage, a backlog being worked off.
const (
	growth           = 1.3
	slackGoroutines  = 25
	slackDescriptors = 25
	slackRSS         = 150 << 20
	slackSpool       = 64 << 20
)

// judge says of each role whether it is flat.
func (u *usage) judge(problem func(string, ...any)) []Holdings {
	var all []Holdings
	for role, samples := range u.samples {
		n := len(samples)
		if n < 10 {
			continue // too short a run to tell
		}
		h := Holdings{
			Role:  role,
			Start: median(samples[:n/10+1]), Quarter: median(samples[n/5 : n/5+n/10+1]), End: median(samples[n-n/10-1:]),
		}
		flat := func(before, after, slack float64) bool { return after <= before*growth+slack }
		h.Flat = flat(float64(h.Quarter.Goroutines), float64(h.End.Goroutines), slackGoroutines) &&
			flat(float64(h.Quarter.Descriptors), float64(h.End.Descriptors), slackDescriptors) &&
			flat(float64(h.Quarter.RSS), float64(h.End.RSS), slackRSS) &&
			(role != "bridge" || h.End.Disk <= slackSpool)
		if !h.Flat {
			problem("what %s holds is not flat: %+v in the first quarter, %+v at the end", role, h.Quarter, h.End)
		}
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b Holdings) int { return cmp.Compare(a.Role, b.Role) })
	return all
}

// median is that of each number by itself.
func median(samples []Holding) Holding {
	of := func(number func(Holding) int64) int64 {
		values := make([]int64, len(samples))
		for i, s := range samples {
			values[i] = number(s)
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return Holding{
		Goroutines:  int(of(func(h Holding) int64 { return int64(h.Goroutines) })),
		Descriptors: int(of(func(h Holding) int64 { return int64(h.Descriptors) })),
		RSS:         of(func(h Holding) int64 { return h.RSS }),
		Disk:        of(func(h Holding) int64 { return h.Disk }),
	}
}
