package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ErrConflict is returned by [Ensure] when a stream of one of our names exists
// with another shape (subjects, transform, storage, retention). It is never
// returned for limits such as age and size.
var ErrConflict = errors.New("stream exists with a conflicting configuration")

// ErrServerTooOld is returned by [Ensure] when the NATS server does not know a
// field of a stream that tickstream cannot do without.
var ErrServerTooOld = errors.New("tickstream needs nats-server 2.14 or later: upgrade it")

// Layout is what [Ensure] found or made.
type Layout struct {
	// Partitions of TICKS.
	Partitions int
}

// Ensure creates the streams and buckets that are missing. Of one that is there
// it changes the limits that cfg sets, and no others; a stream that an operator
// made keeps its own where its shape fits. A shape that does not fit is
// [ErrConflict]: nothing of it is changed, and all else is made none the less.
func Ensure(ctx context.Context, js jetstream.JetStream, cfg Config, log *slog.Logger) (Layout, error) {
	if err := cfg.Validate(); err != nil {
		return Layout{}, fmt.Errorf("stream settings: %w", err)
	}
	ticks, err := lookUp(ctx, js, Ticks)
	if err != nil {
		return Layout{}, err
	}
	partitions, conflict := resolvePartitions(ticks, cfg.Partitions)
	full := cfg
	if ticks != nil {
		orDefault(&full.Replicas, ticks.Config.Replicas)
	}
	full = full.withDefaults()
	for _, want := range full.definitions(max(partitions, 1)) {
		if want.Name == Ticks && conflict != nil {
			continue
		}
		err := ensureStream(ctx, js, want, cfg.asked(want.Name), log)
		switch {
		case errors.Is(err, ErrConflict) && conflict != nil:
			conflict = fmt.Errorf("%w; %w", conflict, err)
		case errors.Is(err, ErrConflict):
			conflict = err
		case err != nil:
			return Layout{}, err
		}
	}
	if err := ensureBuckets(ctx, js, cfg.Replicas, full.Replicas, log); err != nil {
		return Layout{}, err
	}
	if conflict != nil {
		return Layout{}, conflict
	}
	return Layout{Partitions: partitions}, nil
}

// lookUp returns nil for a stream that does not exist.
func lookUp(ctx context.Context, js jetstream.JetStream, name string) (*jetstream.StreamInfo, error) {
	s, err := js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", name, err)
	}
	return s.CachedInfo(), nil
}

// Verify checks what [Ensure] would create or refuse, and changes nothing: one
// sentence a finding, none when all is as configured.
func Verify(ctx context.Context, js jetstream.JetStream, cfg Config) ([]string, error) {
	ticks, err := lookUp(ctx, js, Ticks)
	if err != nil {
		return nil, err
	}
	partitions, err := resolvePartitions(ticks, cfg.Partitions)
	if err != nil {
		return []string{err.Error()}, nil
	}
	var findings []string
	for _, want := range cfg.withDefaults().definitions(partitions) {
		have, err := lookUp(ctx, js, want.Name)
		if err != nil {
			return nil, err
		}
		if have == nil {
			findings = append(findings, fmt.Sprintf("stream %s is missing", want.Name))
			continue
		}
		for _, d := range shapeDifferences(have.Config, want) {
			findings = append(findings, fmt.Sprintf("stream %s: %s", want.Name, d.text))
		}
	}
	for _, bucket := range buckets {
		if _, err := js.KeyValue(ctx, bucket.name); errors.Is(err, jetstream.ErrBucketNotFound) {
			findings = append(findings, fmt.Sprintf("bucket %s is missing", bucket.name))
		} else if err != nil {
			return nil, fmt.Errorf("look up bucket %s: %w", bucket.name, err)
		}
	}
	return findings, nil
}

// resolvePartitions returns the partition count of TICKS: the stream's own if
// it exists, else what was asked, else the default. The error is [ErrConflict].
func resolvePartitions(ticks *jetstream.StreamInfo, asked int) (int, error) {
	if ticks == nil {
		orDefault(&asked, DefaultPartitions)
		return asked, nil
	}
	have := PartitionsOf(ticks.Config)
	if have == 0 {
		return 0, fmt.Errorf("stream %s: its subject transform does not partition %s: %w; make it anew, or move it to another name", Ticks, ticksPublished, ErrConflict)
	}
	if asked != 0 && asked != have {
		return 0, fmt.Errorf("stream %s: has %d partitions, %d asked: %w; the count is fixed when the stream is made: set partitions to %d or 0", Ticks, have, asked, ErrConflict, have)
	}
	return have, nil
}

// PartitionsOf reads the count from the transform itself, which is what routes;
// 0 if it is not of our form.
func PartitionsOf(cfg jetstream.StreamConfig) int {
	if cfg.SubjectTransform == nil || cfg.SubjectTransform.Source != ticksPublished {
		return 0
	}
	rest, ok := strings.CutPrefix(strings.ReplaceAll(cfg.SubjectTransform.Destination, " ", ""), tickPrefix+"{{partition(")
	if !ok {
		return 0
	}
	count, rest, ok := strings.Cut(rest, ",")
	if !ok || rest != "1)}}.{{wildcard(1)}}" {
		return 0
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 {
		return 0
	}
	return n
}

// ensureStream makes a stream as wanted, or gives one that is there the limits
// that were asked for.
func ensureStream(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, asked limits, log *slog.Logger) error {
	have, err := lookUp(ctx, js, want.Name)
	if err != nil {
		return err
	}
	if have == nil {
		err := createStream(ctx, js, want, log)
		if !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return err
		}
		// Another role made it between our look and our call.
		if have, err = lookUp(ctx, js, want.Name); err != nil {
			return err
		}
		if have == nil {
			return fmt.Errorf("look up stream %s: %w", want.Name, jetstream.ErrStreamNotFound)
		}
	}
	if have, err = addSubjects(ctx, js, have, want, log); err != nil {
		return err
	}
	if differences := shapeDifferences(have.Config, want); len(differences) > 0 {
		return fmt.Errorf("stream %s: %v: %w; %s", want.Name, differences, ErrConflict, differences.mend(want.Name))
	}
	updated := asked.of(have.Config)
	if !limitsDiffer(have.Config, updated) {
		return nil
	}
	if have.Config.Metadata[metadataManaged] != "true" {
		log.Info("using an operator's stream with its own limits", "stream", want.Name)
		return nil
	}
	warnOfLoss(have, updated, log)
	if _, err := js.UpdateStream(ctx, updated); err != nil {
		return fmt.Errorf("update the limits of stream %s: %w%s", want.Name, err, mend(err))
	}
	log.Info("updated the limits of a stream", "stream", want.Name, "max_age", updated.MaxAge, "max_bytes", updated.MaxBytes,
		"duplicate_window", updated.Duplicates, "replicas", updated.Replicas)
	return nil
}

// addSubjects gives a stream that an earlier tickstream made the subjects that
// this one adds. A stream with a subject of its own is left alone.
func addSubjects(ctx context.Context, js jetstream.JetStream, have *jetstream.StreamInfo, want jetstream.StreamConfig, log *slog.Logger) (*jetstream.StreamInfo, error) {
	own := slices.ContainsFunc(have.Config.Subjects, func(subject string) bool { return !slices.Contains(want.Subjects, subject) })
	if own || len(have.Config.Subjects) == len(want.Subjects) || have.Config.Metadata[metadataManaged] != "true" {
		return have, nil
	}
	updated := have.Config
	updated.Subjects = want.Subjects
	s, err := js.UpdateStream(ctx, updated)
	if err != nil {
		return nil, fmt.Errorf("add subjects to stream %s: %w", want.Name, err)
	}
	log.Info("added subjects to a stream", "stream", want.Name, "subjects", want.Subjects)
	return s.CachedInfo(), nil
}

// undoTimeout is short: a user without the right to delete gets no answer.
const undoTimeout = 2 * time.Second

// createStream makes a stream, and takes back what the server made of it if
// that is not what was wanted.
func createStream(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, log *slog.Logger) error {
	made, err := js.CreateStream(ctx, want)
	if codeOf(err) == unknownField {
		return fmt.Errorf("create stream %s: %w: %w", want.Name, ErrServerTooOld, err)
	}
	if err != nil {
		return fmt.Errorf("create stream %s: %w%s", want.Name, err, mend(err))
	}
	// A server ignores a field that it does not know.
	if differences := shapeDifferences(made.CachedInfo().Config, want); len(differences) > 0 {
		err := fmt.Errorf("create stream %s: %v: %w", want.Name, differences, ErrServerTooOld)
		ctx, cancel := context.WithTimeout(ctx, undoTimeout)
		defer cancel()
		if undo := js.DeleteStream(ctx, want.Name); undo != nil {
			err = fmt.Errorf("%w; delete that stream before the upgrade: %w", err, undo)
		}
		return err
	}
	log.Info("created stream", "stream", want.Name, "subjects", want.Subjects, "replicas", want.Replicas)
	return nil
}
