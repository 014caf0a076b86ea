package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/cmd/tickstream/bus"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// redis examines Redis.
func (e *examiner) redis(ctx context.Context) {
	r := &e.facts.Redis
	r.URL, r.HealthChannel = e.cfg.RedisURL, e.cfg.Channels.Health
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	asked := time.Now()
	if err := e.servers.Redis.Ping(asking).Err(); err != nil {
		r.Err = sentence(err)
		return
	}
	r.RTT = time.Since(asked)
	r.Version = redisVersion(asking, e.servers.Redis)
	asked = time.Now()
	if now, err := e.servers.Redis.Time(asking).Result(); err == nil {
		skew := now.Sub(asked.Add(time.Since(asked) / 2))
		r.Skew = &skew
	}
	select {
	case <-e.located:
	case <-ctx.Done():
	}
	asking, cancel = context.WithTimeout(ctx, askTimeout) // NATS may have taken its time
	defer cancel()
	r.Source = cmp.Or(e.source, e.cfg.Channels.Ticks)
	e.redisSource(asking)

	// Who listens is asked before this examination listens itself.
	counts, err := bus.Subscribers(asking, e.servers.Redis, r.Source, r.HealthChannel)
	if err != nil {
		r.SubscribersErr = sentence(err)
	}
	r.TickSubscribers, r.HealthSubscribers = counts[r.Source], counts[r.HealthChannel]

	e.listen(ctx)
	r.Publishers = publishers(ctx, e.servers.Redis)
	e.heartbeat(ctx)
}

var versionLine = regexp.MustCompile(`(?m)^(?:valkey|redis)_version:(\S+)`)

func redisVersion(ctx context.Context, client redis.UniversalClient) string {
	info, err := client.Info(ctx, "server").Result()
	if m := versionLine.FindStringSubmatch(info); err == nil && m != nil {
		return m[1]
	}
	return "unknown"
}

// redisSource looks whether ticks come in by a Redis stream instead.
func (e *examiner) redisSource(ctx context.Context) {
	r := &e.facts.Redis
	if kind, err := e.servers.Redis.Type(ctx, r.Source).Result(); err != nil || kind != "stream" {
		return
	}
	r.SourceIsStream = true
	entries, err := e.servers.Redis.XRevRangeN(ctx, r.Source, "+", "-", 1).Result()
	if err != nil || len(entries) == 0 {
		return
	}
	millis, _, _ := strings.Cut(entries[0].ID, "-")
	if at, err := strconv.ParseInt(millis, 10, 64); err == nil {
		idle := age(time.Now(), time.UnixMilli(at))
		if r.Skew != nil {
			idle = max(0, idle+*r.Skew)
		}
		r.SourceIdle = &idle
	}
}

// globs are what a pattern of Redis gives a meaning of its own.
var globs = regexp.MustCompile(`[*?\[\]\\]`)

// listen listens for ticks a while, longer if none comes, and for a health event
// until one is due. It does so by patterns, which nobody counts as a subscriber:
// health is not to take this examination for AppV2.
func (e *examiner) listen(ctx context.Context) {
	r := &e.facts.Redis
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, max(e.cfg.HealthInterval+time.Second, listenLonger))
	defer cancel()
	pubsub := e.servers.Redis.PSubscribe(ctx, globs.ReplaceAllString(r.Source, `\$0`), globs.ReplaceAllString(r.HealthChannel, `\$0`))
	defer func() { _ = pubsub.Close() }() // closing twice is an error of no meaning
	// Receive does not end with a context that is cancelled.
	defer context.AfterFunc(ctx, func() { _ = pubsub.Close() })()
	for {
		deadline := started.Add(listenFor)
		if r.Heard == 0 && !r.SourceIsStream {
			deadline = started.Add(listenLonger)
		}
		if due := started.Add(e.cfg.HealthInterval + time.Second); !r.HealthHeard && due.After(deadline) {
			deadline = due
		}
		wait := time.Until(deadline)
		if wait <= 0 {
			break
		}
		received, err := pubsub.ReceiveTimeout(ctx, wait)
		if err != nil {
			if !timedOut(err) && ctx.Err() == nil {
				r.ListenErr = sentence(err)
			}
			break
		}
		if m, isMessage := received.(*redis.Message); isMessage {
			e.hear(m, time.Since(started))
		}
	}
	if r.Listened = time.Since(started); r.Heard > 0 {
		r.Listened = min(r.Listened, listenFor)
	}
	if !r.HealthHeard {
		r.HealthWaited = time.Since(started)
	}
}

func (e *examiner) hear(m *redis.Message, since time.Duration) {
	r := &e.facts.Redis
	switch {
	case m.Channel == r.Source && (since <= listenFor || r.Heard == 0):
		if r.Heard++; r.FeedAhead == nil {
			e.date([]byte(m.Payload))
		}
	case m.Channel == r.HealthChannel && !r.HealthHeard:
		r.HealthHeard, r.HealthWaited = true, since
	}
}

// date reads who made a tick, and by what clock.
func (e *examiner) date(payload []byte) {
	decoder, err := tick.NewDecoder(tick.Limits{MaxFuture: 24 * time.Hour})
	if err != nil {
		return // never with these limits
	}
	var t tick.Tick
	now := time.Now()
	if decoder.Decode(payload, now, &t) != nil {
		return // the next one may tell
	}
	ahead := t.Time().Sub(now)
	e.facts.Redis.Feed, e.facts.Redis.FeedAhead = string(t.Source), &ahead
}

func timedOut(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

func (e *examiner) heartbeat(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	const enough = 64 // bytes of a number
	seconds, err := strconv.ParseFloat(e.servers.Redis.GetRange(ctx, e.cfg.Channels.HeartbeatKey, 0, enough).Val(), 64)
	if err != nil {
		return // none, or no number: both are shown as none
	}
	at := time.UnixMilli(int64(seconds * 1000))
	beat := age(time.Now(), at)
	e.facts.Redis.Heartbeat = &beat
}

var clientField = regexp.MustCompile(`(?:^| )(addr|name|cmd)=(\S*)`)

// publishers are the clients whose last command published, our own roles left
// out. Not every Redis lets us ask.
func publishers(ctx context.Context, client redis.UniversalClient) []string {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	list, err := client.ClientList(ctx).Result()
	if err != nil {
		return nil
	}
	var found []string
	for line := range strings.Lines(list) {
		fields := map[string]string{}
		for _, m := range clientField.FindAllStringSubmatch(line, -1) {
			fields[m[1]] = m[2]
		}
		name := fields["name"]
		if fields["cmd"] != "publish" || strings.HasPrefix(name, "tickstream-") && name != "tickstream-sim" {
			continue
		}
		found = append(found, strings.TrimSpace(fmt.Sprintf("%s %s", name, fields["addr"])))
	}
	slices.Sort(found)
	return found
}
