package presence

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// What is beyond these is of a foreign hand.
const (
	maxReport  = 256 << 10 // bytes
	maxReports = 1000
)

// List returns the reports of all components that are present, by role and
// start. What is no report is left out; [ListAll] counts it.
func List(ctx context.Context, bucket jetstream.KeyValue) ([]Report, error) {
	reports, _, err := ListAll(ctx, bucket)
	return reports, err
}

// ListAll is [List], and tells the keys whose values are no reports: of a
// foreign hand, or of a version that is too different.
func ListAll(ctx context.Context, bucket jetstream.KeyValue) (reports []Report, malformed []string, err error) {
	entries, err := latest(ctx, bucket)
	if err != nil {
		return nil, nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		if report, ok := read(entries[key]); ok && len(reports) < maxReports {
			reports = append(reports, report)
		} else if len(malformed) < maxReports {
			malformed = append(malformed, key)
		}
	}
	sorted(reports)
	return reports, malformed, nil
}

func read(entry jetstream.KeyValueEntry) (report Report, ok bool) {
	if len(entry.Value()) > maxReport || json.Unmarshal(entry.Value(), &report) != nil || report.Role == "" || report.Instance == "" {
		return Report{}, false
	}
	report.StoredAt = entry.Created()
	return report, true
}

func sorted(reports []Report) {
	slices.SortFunc(reports, func(a, b Report) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), a.StartedAt.Compare(b.StartedAt))
	})
}

// Confirm adds to a list those of an earlier one that are there all the same: a
// list may lack a report that was stored anew while it was read.
func Confirm(ctx context.Context, bucket jetstream.KeyValue, earlier, listed []Report) ([]Report, error) {
	for _, known := range earlier {
		if slices.ContainsFunc(listed, func(r Report) bool { return key(r) == key(known) }) {
			continue
		}
		entry, err := bucket.Get(ctx, key(known))
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			continue // it is gone
		}
		if err != nil {
			return nil, fmt.Errorf("look for the report of %s: %w", key(known), err)
		}
		if report, ok := read(entry); ok {
			listed = append(listed, report)
		}
	}
	sorted(listed)
	return listed, nil
}

// latest is what the bucket holds by key. It reads all of its messages, of which
// there is one a key, and on until none is pending: a reader of the last of each
// key passes over every one that is replaced before its turn.
func latest(ctx context.Context, bucket jetstream.KeyValue) (map[string]jetstream.KeyValueEntry, error) {
	watcher, err := bucket.WatchAll(ctx, jetstream.IncludeHistory())
	if err != nil {
		return nil, fmt.Errorf("watch components bucket: %w", err)
	}
	defer func() { _ = watcher.Stop() }() // a failed unsubscribe has nothing to undo
	entries := map[string]jetstream.KeyValueEntry{}
	begun, pending := false, uint64(0)
	for !begun || pending > 0 {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("list components: %w", ctx.Err())
		case entry, open := <-watcher.Updates():
			switch {
			case !open:
				return nil, errors.New("list components: watcher closed")
			case entry == nil:
				begun = true // all that was there at first has come
				continue
			case entry.Operation() == jetstream.KeyValuePut:
				entries[entry.Key()] = entry
			default:
				delete(entries, entry.Key())
			}
			pending = entry.Delta()
		}
	}
	return entries, nil
}
