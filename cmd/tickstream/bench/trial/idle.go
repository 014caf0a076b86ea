package trial

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/figure"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/rig"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// Idle is how fast up is there and what it costs when nothing happens.
func Idle(ctx context.Context, l *Lab) (*figure.Part, error) {
	part := &figure.Part{
		Name: "idle: up without a feed, all embedded",
		Notes: []string{
			fmt.Sprintf("From an empty data folder. CPU and memory over %v, from %v after the start on.", l.cfg.Idle, settle),
			"Up: until it says where everything is. First health event: until JetStream has stored it, by the server's own time.",
		},
	}
	var banner, health, cpu, memory figure.Series
	for range l.cfg.Rounds {
		one, err := l.idle(ctx)
		if err != nil {
			return part, err
		}
		banner, health = append(banner, one.banner.Seconds()*1000), append(health, one.health.Seconds()*1000)
		cpu, memory = append(cpu, one.cpu), append(memory, one.rss/(1<<20))
	}
	part.Rows = []figure.Row{
		{Name: "start to up", Unit: milliseconds, Values: banner},
		{Name: "start to first health event", Unit: milliseconds, Values: health},
		{Name: "processor", Unit: "% of a core", Values: cpu},
		{Name: "memory at most", Unit: "MiB", Values: memory},
	}
	v := atMost("idle up, no feed", cpu, 1, "% of a core")
	v.Wanted += ", ≤ 80 MiB RSS"
	v.Measured += fmt.Sprintf(", %.0f MiB", memory.Median())
	v.Met = v.Met && memory.Median() <= 80
	part.Verdicts = []figure.Verdict{v, atMost("start to first health event", health, 500, milliseconds)}
	return part, nil
}

// settle is how long up has before its idle cost is measured.
const settle = 5 * time.Second

// bannerNATS is the line that says where NATS is.
var bannerNATS = regexp.MustCompile(`(?m)^  NATS +(nats://\S+)`)

type idleCost struct {
	banner, health time.Duration
	cpu, rss       float64
}

func (l *Lab) idle(ctx context.Context) (cost idleCost, err error) {
	data := filepath.Join(l.cfg.Dir, "up")
	log := filepath.Join(l.cfg.Dir, "up.log")
	_ = os.Remove(log) // of the round before
	p, err := l.start("up", l.cfg.Binary, nil, "up", "--data", data, "--http", "127.0.0.1:0")
	if err != nil {
		return cost, err
	}
	defer func() { err = errors.Join(err, p.Kill(), os.RemoveAll(data)) }()
	var url string
	err = l.await(ctx, startTimeout, "up says where everything is", func(context.Context) bool {
		text, _ := os.ReadFile(log) // not there yet
		if said := bannerNATS.FindSubmatch(text); said != nil {
			url = string(said[1])
		}
		return url != ""
	})
	if err != nil {
		return cost, err
	}
	cost.banner = time.Since(p.Born())
	first, err := l.firstHealth(ctx, url)
	if err != nil {
		return cost, err
	}
	cost.health = first.Sub(p.Born())
	if cost.cpu, cost.rss, err = l.doNothing(ctx, p); err != nil {
		return cost, err
	}
	l.log.Info("measured", "up ms", cost.banner.Milliseconds(), "first health event ms", cost.health.Milliseconds(), "cpu %", cost.cpu, "rss", figure.Bytes(cost.rss))
	return cost, l.stop(p)
}

// firstHealth is when the first health event was stored.
func (l *Lab) firstHealth(ctx context.Context, url string) (time.Time, error) {
	nc, err := nats.Connect(url)
	if err != nil {
		return time.Time{}, fmt.Errorf("connect to the NATS of up: %w", err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return time.Time{}, fmt.Errorf("open JetStream: %w", err)
	}
	var at time.Time
	return at, l.await(ctx, startTimeout, "a health event is there", func(ctx context.Context) bool {
		s, err := js.Stream(ctx, stream.Health)
		if err != nil {
			return false
		}
		msg, err := s.GetMsg(ctx, 1, jetstream.WithGetMsgSubject(stream.HealthStatus))
		if err == nil {
			at = msg.Time
		}
		return err == nil
	})
}

// doNothing is what a process spends meanwhile: percent of a core, and its
// highest memory.
func (l *Lab) doNothing(ctx context.Context, p *rig.Process) (cpu, rss float64, err error) {
	pause := func(d time.Duration) error {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait: %w", context.Cause(ctx))
		case <-time.After(d):
			return l.failure()
		}
	}
	if err := pause(settle); err != nil {
		return 0, 0, err
	}
	watching, began := observe(ctx, p), time.Now()
	err = pause(l.cfg.Idle)
	used, took := watching.end()[0], time.Since(began)
	return 100 * used.cpu.Seconds() / took.Seconds(), float64(used.rss), err
}
