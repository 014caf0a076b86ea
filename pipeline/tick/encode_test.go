package tick_test

import (
	"testing"

	"github.com/tickstock/tickstream/pipeline/tick"
)

func TestAppendJSON(t *testing.T) {
	got := decode(t, marketTick)
	want := `{"type":"market_tick","symbol":"AAPL","price":187.42,"volume":100,"timestamp":1728300000.123,"source":"polygon"}`
	if text := string(got.AppendJSON(nil)); text != want {
		t.Errorf("encoded as\n%s, want\n%s", text, want)
	}
	// A whole second stays a float, as AppV2 sends it, and dst is kept.
	bare := tick.Tick{Symbol: []byte(`A"\é`), Price: tick.One, UnixNanos: 1728300000e9}
	want = `x{"type":"market_tick","symbol":"A\"\\é","price":1,"volume":0,"timestamp":1728300000.0}`
	if text := string(bare.AppendJSON([]byte("x"))); text != want {
		t.Errorf("encoded as\n%s, want\n%s", text, want)
	}
}

func TestAppendRawJSON(t *testing.T) {
	got := decode(t, rawTick)
	want := `{"ticker":"BRK.B","price":187.42,"volume":1200.5,"timestamp":1728300000.0,"source":"massive","event_type":"A",` +
		`"tick_open":187.4,"tick_high":187.45,"tick_low":187.39,"tick_close":187.42,"tick_volume":1200,"tick_vwap":187.4188,"bid":null,"ask":null}`
	if text := string(got.AppendRawJSON(nil)); text != want {
		t.Errorf("encoded as\n%s, want\n%s", text, want)
	}
	for kind, want := range map[tick.Kind]string{tick.Trade: "T", tick.Quote: "Q"} {
		made := tick.Tick{Symbol: []byte("A"), Price: tick.One, UnixNanos: 1728300000e9, Kind: kind}
		if back := decode(t, string(made.AppendRawJSON(nil))); back.Kind != kind {
			t.Errorf("%s came back as %v", want, back.Kind)
		}
	}
}

func TestAppendJSONRepairsText(t *testing.T) {
	made := tick.Tick{Symbol: []byte("A"), Source: []byte("a\xffb\x00\x1f"), Price: tick.One, UnixNanos: 1728300000e9}
	if back := decode(t, string(made.AppendJSON(nil))); string(back.Source) != "a\ufffdb\x00\x1f" {
		t.Errorf("source came back as %q", back.Source)
	}
}
