package stream_test

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

func TestAtLeaderGetsWhatAPlaceNames(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	ensure(t, js, stream.Config{})
	began := time.Now()
	for _, symbol := range []string{"AAPL", "MSFT", "AAPL"} {
		msg := nats.NewMsg(stream.BarSubject("1min", symbol))
		msg.Header.Set(nats.MsgIdHdr, nats.NewInbox())
		msg.Data = []byte(symbol)
		if _, err := js.PublishMsg(t.Context(), msg); err != nil {
			t.Fatal(err)
		}
	}
	after := time.Now().Add(time.Minute)
	for name, test := range map[string]struct {
		place stream.Place
		seq   uint64 // 0: nothing
		data  string
	}{
		"a sequence":               {stream.Place{Seq: 2}, 2, "MSFT"},
		"the next of any":          {stream.Place{Seq: 2, Next: stream.Anything}, 2, "MSFT"},
		"the next of a subject":    {stream.Place{Seq: 2, Next: stream.BarSubject("1min", "AAPL")}, 3, "AAPL"},
		"the last of a subject":    {stream.Place{Last: stream.BarSubject("1min", "MSFT")}, 2, "MSFT"},
		"the last of all":          {stream.Place{Last: stream.AllBars}, 3, "AAPL"},
		"since a time":             {stream.Place{Since: &began, Next: stream.Anything}, 1, "AAPL"},
		"no such sequence":         {stream.Place{Seq: 4}, 0, ""},
		"no such subject":          {stream.Place{Last: stream.BarSubject("1min", "TSLA")}, 0, ""},
		"nothing since":            {stream.Place{Since: &after, Next: stream.Anything}, 0, ""},
		"none that follows, of it": {stream.Place{Seq: 3, Next: stream.BarSubject("1min", "MSFT")}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			msg, err := stream.AtLeader(t.Context(), js, stream.Bars, test.place)
			switch {
			case test.seq == 0:
				if !errors.Is(err, jetstream.ErrMsgNotFound) {
					t.Errorf("got %v, %v, want none", msg, err)
				}
			case err != nil:
				t.Error(err)
			case msg.Sequence != test.seq || string(msg.Data) != test.data || msg.Header.Get(nats.MsgIdHdr) == "" || msg.Time.Before(began):
				t.Errorf("got %+v, want %s at %d with its header and time", msg, test.data, test.seq)
			}
		})
	}
	if _, err := stream.AtLeader(t.Context(), js, "NONE", stream.Place{Seq: 1}); err == nil || errors.Is(err, jetstream.ErrMsgNotFound) {
		t.Errorf("of a stream that is not there: %v", err)
	}
}

// A replica that is behind must not show a lease or a checkpoint of before.
func TestBucketsAreReadAtTheirLeader(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{
		Bucket: stream.LeasesBucket, TTL: time.Minute, Storage: jetstream.FileStorage, Description: "an operator's words",
	}); err != nil {
		t.Fatal(err)
	}
	ensure(t, js, stream.Config{})
	for _, bucket := range []string{stream.HealthBucket, stream.ComponentsBucket, stream.LeasesBucket, stream.CheckpointsBucket} {
		if config(t, js, "KV_"+bucket).AllowDirect {
			t.Errorf("any replica may answer for %s", bucket)
		}
		kv, err := js.KeyValue(t.Context(), bucket)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := kv.Create(t.Context(), "key", []byte("value")); err != nil {
			t.Errorf("%s: %v", bucket, err)
		}
		if entry, err := kv.Get(t.Context(), "key"); err != nil || string(entry.Value()) != "value" {
			t.Errorf("%s: %v, %v", bucket, entry, err)
		}
	}
	leases := config(t, js, "KV_"+stream.LeasesBucket)
	if leases.MaxAge != stream.LeaseTTL || leases.Description != "an operator's words" {
		t.Errorf("leases are kept for %v, described as %q", leases.MaxAge, leases.Description)
	}
}
