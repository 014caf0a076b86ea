package presence_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

func TestComponentIsPresentWhileItRuns(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	if _, err := stream.Ensure(t.Context(), js, stream.Config{}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	bucket := func(ctx context.Context) (jetstream.KeyValue, error) {
		return js.KeyValue(ctx, stream.ComponentsBucket)
	}
	kv, err := bucket(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if reports, err := presence.List(t.Context(), kv); err != nil || len(reports) != 0 {
		t.Fatalf("before: %v, %v; want none", reports, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	announcer := presence.NewAnnouncer(bucket, func() presence.Report {
		return presence.Report{Role: presence.RoleBridge, Instance: "b-1", Bridge: &presence.Bridge{Stored: 7}}
	}, slog.New(slog.DiscardHandler))
	go func() { done <- announcer.Run(ctx) }()
	testbed.Eventually(t, 5*time.Second, "the component's report", func(ctx context.Context) bool {
		reports, err := presence.List(ctx, kv)
		return err == nil && len(reports) == 1 && reports[0].Bridge.Stored == 7 && time.Since(reports[0].ReportedAt) < time.Minute
	})
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run = %v", err)
	}
	if reports, err := presence.List(t.Context(), kv); err != nil || len(reports) != 0 {
		t.Errorf("after a clean stop: %v, %v; want none", reports, err)
	}
}

// A report that is stored anew while reports are listed is one of them.
func TestReportsAreListedWhileTheyAreStored(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "components"})
	if err != nil {
		t.Fatal(err)
	}
	const components = 3
	put := func(ctx context.Context, instance int) error {
		_, err := kv.Put(ctx, fmt.Sprintf("bridge.%d", instance), fmt.Appendf(nil, `{"role":"bridge","instance":"%d"}`, instance))
		return err //nolint:wrapcheck // of a test
	}
	for i := range components {
		if err := put(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	writing.Go(func() { // ends with the lists
		for i := 0; ctx.Err() == nil; i++ {
			if err := put(ctx, i%components); err != nil && ctx.Err() == nil {
				t.Errorf("put: %v", err)
				return
			}
		}
	})
	defer writing.Wait()
	defer stop()
	var known []presence.Report
	testbed.Eventually(t, 10*time.Second, "a list of all", func(ctx context.Context) bool {
		known, err = presence.List(ctx, kv)
		return err == nil && len(known) == components
	})
	for i := range 200 {
		reports, err := presence.List(t.Context(), kv)
		if err == nil {
			reports, err = presence.Confirm(t.Context(), kv, known, reports)
		}
		if err != nil || len(reports) != components {
			t.Fatalf("list %d has %d of %d components: %v", i, len(reports), components, err)
		}
	}
	stop()
	writing.Wait()
	if err := kv.Purge(t.Context(), "bridge.0"); err != nil {
		t.Fatal(err)
	}
	if reports, err := presence.Confirm(t.Context(), kv, known, nil); err != nil || len(reports) != components-1 {
		t.Errorf("with one gone: %+v, %v", reports, err)
	}
}

func TestOneMalformedReportHidesNoOther(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "components"})
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{
		"bridge.b":   `{"role":"bridge","instance":"b","bridge":{"state":"standby","stored":7}}`,
		"bridge.c":   `{"role":"bridge","instance":"c","started_at":"yesterday"}`,
		"foreign":    `hello`,
		"else":       `{}`,
		"huge":       `{"role":"bridge","instance":"` + strings.Repeat("x", 300<<10) + `"}`,
		"pipeline.p": `{"role":"pipeline","instance":"p"}`,
	} {
		if _, err := kv.Put(t.Context(), key, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	reports, malformed, err := presence.ListAll(t.Context(), kv)
	slices.Sort(malformed)
	if err != nil || len(reports) != 2 || !slices.Equal(malformed, []string{"bridge.c", "else", "foreign", "huge"}) {
		t.Fatalf("ListAll = %+v, %v, %v", reports, malformed, err)
	}
	if b := reports[0].Bridge; b == nil || b.Stored != 7 || b.State != presence.StateStandby {
		t.Errorf("the bridge's report is %+v", reports[0])
	}
	if reports, err := presence.List(t.Context(), kv); err != nil || len(reports) != 2 {
		t.Errorf("List = %+v, %v", reports, err)
	}
}
