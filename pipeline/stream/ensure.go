package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// ErrConflict is returned by [Ensure] when a stream of one of our names exists
// with another shape (subjects, transform, storage, retention). It is never
// returned for limits such as age and size.
var ErrConflict = errors.New("stream exists with a conflicting configuration")

// Layout is what [Ensure] found or made.
type Layout struct {
	// Partitions of TICKS.
	Partitions int
}

// Ensure creates the streams and buckets that are missing. A stream that
// tickstream made before gets the limits of cfg; one that an operator made is
// used as it is where its shape fits. A shape that does not fit is
// [ErrConflict], and nothing of it is changed.
func Ensure(ctx context.Context, js jetstream.JetStream, cfg Config, log *slog.Logger) (Layout, error) {
	if err := cfg.Validate(); err != nil {
		return Layout{}, fmt.Errorf("stream settings: %w", err)
	}
	partitions, err := resolvePartitions(ctx, js, cfg.Partitions)
	if err != nil {
		return Layout{}, err
	}
	cfg = cfg.withDefaults()
	for _, want := range cfg.definitions(partitions) {
		if err := ensureStream(ctx, js, want, log); err != nil {
			return Layout{}, err
		}
	}
	if err := ensureBuckets(ctx, js, cfg.Replicas, log); err != nil {
		return Layout{}, err
	}
	return Layout{Partitions: partitions}, nil
}

// Verify checks what [Ensure] would create or change, and changes nothing: one
// sentence a finding, none when all is as configured.
func Verify(ctx context.Context, js jetstream.JetStream, cfg Config) ([]string, error) {
	cfg = cfg.withDefaults()
	partitions, err := resolvePartitions(ctx, js, cfg.Partitions)
	if errors.Is(err, ErrConflict) {
		return []string{err.Error()}, nil
	}
	if err != nil {
		return nil, err
	}
	var findings []string
	for _, want := range cfg.definitions(partitions) {
		have, err := js.Stream(ctx, want.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			findings = append(findings, fmt.Sprintf("stream %s is missing", want.Name))
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look up stream %s: %w", want.Name, err)
		}
		current := have.CachedInfo().Config
		for _, difference := range shapeDifferences(current, want) {
			findings = append(findings, fmt.Sprintf("stream %s: %s", want.Name, difference))
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
// it exists, else what was asked, else the default.
func resolvePartitions(ctx context.Context, js jetstream.JetStream, asked int) (int, error) {
	ticks, err := js.Stream(ctx, Ticks)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if asked == 0 {
			return DefaultPartitions, nil
		}
		return asked, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look up stream %s: %w", Ticks, err)
	}
	have := PartitionsOf(ticks.CachedInfo().Config)
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

func ensureStream(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, log *slog.Logger) error {
	have, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		_, err = js.CreateStream(ctx, want)
		if err == nil {
			log.Info("created stream", "stream", want.Name, "subjects", want.Subjects, "replicas", want.Replicas)
			return nil
		}
		if !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return fmt.Errorf("create stream %s: %w%s", want.Name, err, mend(err))
		}
		// Another role made it between our look and our call.
		have, err = js.Stream(ctx, want.Name)
	}
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", want.Name, err)
	}
	current := have.CachedInfo().Config
	if differences := shapeDifferences(current, want); len(differences) > 0 {
		return fmt.Errorf("stream %s: %s: %w; delete or rename that stream, or point tickstream at another account",
			want.Name, strings.Join(differences, "; "), ErrConflict)
	}
	if !limitsDiffer(current, want) {
		return nil
	}
	if current.Metadata[metadataManaged] != "true" {
		log.Info("using an operator's stream with its own limits", "stream", want.Name)
		return nil
	}
	updated := current
	updated.MaxAge, updated.MaxBytes = want.MaxAge, want.MaxBytes
	updated.Replicas, updated.Duplicates = want.Replicas, want.Duplicates
	if _, err := js.UpdateStream(ctx, updated); err != nil {
		return fmt.Errorf("update the limits of stream %s: %w%s", want.Name, err, mend(err))
	}
	log.Info("updated the limits of a stream", "stream", want.Name, "max_age", want.MaxAge, "max_bytes", want.MaxBytes, "replicas", want.Replicas)
	return nil
}

// insufficientStorage is the server's code when max_bytes exceed what
// JetStream may still reserve.
const insufficientStorage jetstream.ErrorCode = 10047

// mend says what to do about a refusal of the server.
func mend(err error) string {
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == insufficientStorage {
		return "; give the server more JetStream file storage, or lower ticks max bytes"
	}
	return ""
}

// shapeDifferences names what cannot be changed without changing what the
// stream means: have against want, a sentence each.
func shapeDifferences(have, want jetstream.StreamConfig) []string {
	var differences []string
	differ := func(field string, have, want any) {
		differences = append(differences, fmt.Sprintf("%s is %v, wanted %v", field, have, want))
	}
	haveSubjects, wantSubjects := slices.Sorted(slices.Values(have.Subjects)), slices.Sorted(slices.Values(want.Subjects))
	if !slices.Equal(haveSubjects, wantSubjects) {
		differ("subjects", haveSubjects, wantSubjects)
	}
	if have.Storage != want.Storage {
		differ("storage", have.Storage, want.Storage)
	}
	if have.Retention != want.Retention {
		differ("retention", have.Retention, want.Retention)
	}
	if have.Discard != want.Discard {
		differ("discard policy", have.Discard, want.Discard)
	}
	if want.AllowAtomicPublish && !have.AllowAtomicPublish {
		differ("allow_atomic", false, true)
	}
	if want.AllowBatchPublish && !have.AllowBatchPublish {
		differ("allow_batched", false, true)
	}
	if want.AllowDirect && !have.AllowDirect {
		differ("allow_direct", false, true)
	}
	if want.SubjectTransform == nil && have.SubjectTransform != nil {
		differ("subject transform", have.SubjectTransform.Destination, "none")
	}
	return differences
}

func limitsDiffer(have, want jetstream.StreamConfig) bool {
	return have.MaxAge != want.MaxAge || have.MaxBytes != want.MaxBytes ||
		have.Replicas != want.Replicas || have.Duplicates != want.Duplicates
}
