package tick_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/tick"
)

func TestLimitsValidate(t *testing.T) {
	for _, tt := range []struct {
		limits tick.Limits
		want   string // in the error; empty for none
	}{
		{tick.Limits{}, ""},
		{tick.Limits{MaxPayloadBytes: 64, MaxSymbolBytes: 1024, MaxFuture: 24 * time.Hour, Earliest: time.Unix(1e8, 0)}, ""},
		{tick.Limits{MaxPayloadBytes: 63}, "max payload bytes is 63: give 64 to 67108864"},
		{tick.Limits{MaxPayloadBytes: 64<<20 + 1}, "max payload bytes"},
		{tick.Limits{MaxSymbolBytes: -1}, "max symbol bytes is -1: give 1 to 1024"},
		{tick.Limits{MaxSymbolBytes: 1025}, "max symbol bytes"},
		{tick.Limits{MaxFuture: -time.Second}, "max future is -1s: give up to 24h"},
		{tick.Limits{MaxFuture: 25 * time.Hour}, "max future"},
		{tick.Limits{Earliest: time.Unix(1e8-1, 0)}, "earliest is 1973-03-03T09:46:39Z: give 1973-03-03T09:46:40Z to 2262-04-11"},
		{tick.Limits{Earliest: time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)}, "earliest"},
	} {
		err := tt.limits.Validate()
		if _, made := tick.NewDecoder(tt.limits); (made == nil) != (err == nil) {
			t.Errorf("%+v: Validate says %v, NewDecoder %v", tt.limits, err, made)
		}
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: error %v, want %q", tt.limits, err, tt.want)
		}
	}
}

func TestLimitsBound(t *testing.T) {
	d, err := tick.NewDecoder(tick.Limits{
		MaxPayloadBytes: 80, MaxSymbolBytes: 3, MaxFuture: time.Second, Earliest: time.Unix(1728300000, 0),
	})
	if err != nil {
		t.Fatal(err)
	}
	for payload, want := range map[string]tick.Reason{
		`{"symbol":"ABC","price":1,"timestamp":1728300000}`:                                     "",
		`{"symbol":"ABC","price":1,"timestamp":1728300002}`:                                     "",
		`{"symbol":"ABC","price":1,"timestamp":1728300002.000000001}`:                           tick.TimestampFuture,
		`{"symbol":"ABC","price":1,"timestamp":1728299999.999999999}`:                           tick.TimestampAbsurd,
		`{"symbol":"ABCD","price":1,"timestamp":1728300000}`:                                    tick.SymbolTooLong,
		`{"symbol":"ABC","price":1,"timestamp":1728300000}` + strings.Repeat(" ", 80-49):        "",
		`{"symbol":"ABC","price":1,"timestamp":1728300000}` + strings.Repeat(" ", 80-49) + "\n": tick.PayloadTooLarge,
	} {
		var got tick.Tick
		err := d.Decode([]byte(payload), clock, &got)
		refusal, _ := errors.AsType[*tick.Refusal](err)
		if want == "" && err != nil || want != "" && (refusal == nil || refusal.Reason != want) {
			t.Errorf("%s: error %v, want %q", payload, err, want)
		}
	}
}
