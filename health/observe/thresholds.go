package observe

import (
	"errors"
	"fmt"
	"time"

	"github.com/tickstock/tickstream/pipeline/stream"
)

// Thresholds are the bounds that a [Judge] judges by. The zero value means the
// defaults.
type Thresholds struct {
	// StartupGrace is how long the status may be starting while the session
	// has no tick yet. Defaults to 60 s.
	StartupGrace time.Duration
	// StallAfter is how long no tick may come while the market is open before
	// that is an error. Defaults to 30 s.
	StallAfter time.Duration
	// QuietAfter is how long no tick may come after a steady flow before that is
	// a warning. Defaults to 6 s.
	QuietAfter time.Duration
	// StaleShare of the universe may be without a tick in the active window,
	// above 0 to 1. Defaults to 0.05.
	StaleShare float64
	// LagWarning and LagCritical bound the time from event to storage, and that
	// from storage to a consumer's acknowledgement. Default to 2 s and 30 s.
	LagWarning, LagCritical time.Duration
	// PendingWarning and PendingCritical bound what may wait for one consumer,
	// in ticks. They catch a backlog that arrived at once and so is not old
	// yet. Default to 100,000 and 5,000,000.
	PendingWarning, PendingCritical int64
	// PublishBlocked is how long the bridge may wait for JetStream. Defaults to
	// 2 s.
	PublishBlocked time.Duration
	// QueuedTicks is how many ticks may wait in the bridge. Defaults to 100,000.
	QueuedTicks int64
	// RowsBehind is how long a row may wait for the database. Defaults to 1 min.
	RowsBehind time.Duration
	// RejectShare of what came in during the error window may be refused, and
	// fewer than RejectsAtLeast never count: a stray malformed message says
	// nothing about the system, and would paint AppV2's page red for a minute.
	// All are counted in the health event. Default to 0.01 and 5.
	RejectShare    float64
	RejectsAtLeast int64
	// MissingAfter is how long a component has to report, after this process
	// started or JetStream came back, before it counts as missing. Afterwards
	// it does as soon as its report is gone. Defaults to
	// [stream.ComponentTTL], after which a report is gone by itself.
	MissingAfter time.Duration
	// MeasureStale is how old measurements may be. Defaults to 10 s.
	MeasureStale time.Duration
	// RecoverAfter is how long something must be better before the verdict is:
	// worse it is at once. Defaults to 3 s.
	RecoverAfter time.Duration
	// RecoverMargin is by how much a number must be below its threshold to be
	// better, as a share of that, 0 < margin < 1. Defaults to 0.2.
	RecoverMargin float64
}

func (t Thresholds) withDefaults() Thresholds {
	orDefault(&t.StartupGrace, time.Minute)
	orDefault(&t.StallAfter, 30*time.Second)
	orDefault(&t.QuietAfter, 6*time.Second)
	orDefault(&t.StaleShare, 0.05)
	orDefault(&t.LagWarning, 2*time.Second)
	orDefault(&t.LagCritical, 30*time.Second)
	orDefault(&t.PendingWarning, 100_000)
	orDefault(&t.PendingCritical, 5_000_000)
	orDefault(&t.PublishBlocked, 2*time.Second)
	orDefault(&t.QueuedTicks, 100_000)
	orDefault(&t.RowsBehind, time.Minute)
	orDefault(&t.RejectShare, 0.01)
	orDefault(&t.RejectsAtLeast, 5)
	orDefault(&t.MissingAfter, stream.ComponentTTL)
	orDefault(&t.MeasureStale, 10*time.Second)
	orDefault(&t.RecoverAfter, 3*time.Second)
	orDefault(&t.RecoverMargin, 0.2)
	return t
}

// Validate says which threshold is unusable and what to give instead.
func (t Thresholds) Validate() error {
	t = t.withDefaults()
	var errs []error
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"startup grace", t.StartupGrace}, {"stall after", t.StallAfter}, {"quiet after", t.QuietAfter}, {"lag warning", t.LagWarning},
		{"publish blocked", t.PublishBlocked}, {"missing after", t.MissingAfter},
		{"measure stale", t.MeasureStale}, {"recover after", t.RecoverAfter},
	} {
		if d.value < 0 {
			errs = append(errs, fmt.Errorf("%s is %v: give more than 0", d.name, d.value))
		}
	}
	// The comparisons are such that NaN fails them.
	for _, share := range []struct {
		name  string
		value float64
	}{{"stale share", t.StaleShare}, {"reject share", t.RejectShare}} {
		if !(share.value > 0 && share.value <= 1) {
			errs = append(errs, fmt.Errorf("%s is %v: give more than 0 and at most 1", share.name, share.value))
		}
	}
	if !(t.RecoverMargin > 0 && t.RecoverMargin < 1) {
		errs = append(errs, fmt.Errorf("recover margin is %v: give more than 0 and less than 1", t.RecoverMargin))
	}
	if t.LagCritical < t.LagWarning {
		errs = append(errs, fmt.Errorf("lag critical is %v: give at least the lag warning of %v", t.LagCritical, t.LagWarning))
	}
	if t.PendingWarning < 1 || t.PendingCritical < t.PendingWarning {
		errs = append(errs, fmt.Errorf("pending warning is %d and critical %d: give at least 1, and critical at least the warning", t.PendingWarning, t.PendingCritical))
	}
	if t.QueuedTicks < 1 || t.RejectsAtLeast < 1 {
		errs = append(errs, errors.New("queued ticks and rejects at least: give at least 1 each"))
	}
	return errors.Join(errs...)
}
