package stream_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tickstock/tickstream/pipeline/stream"
)

func TestCheckForeignNamesTheStream(t *testing.T) {
	for subject, want := range map[string]string{
		stream.TickSubject("BRK.B"):                      stream.Ticks,
		stream.ClockSubject(0):                           stream.Ticks,
		stream.BarSubject("1min", "AAPL"):                stream.Bars,
		stream.SignalSubject("indicator", "RSI", "AAPL"): stream.Signals,
		stream.HealthStatus:                              stream.Health,
		stream.SessionStarted:                            stream.Health,
		stream.RejectSubject("not_json"):                 stream.Rejects,
		stream.ControlSessionStop:                        "requests",
		stream.ControlSubject("replay", "start"):         "requests",
		"tickstock.*.AAPL":                               stream.Ticks,
		"*.health.status":                                stream.Health,
		"*.control.session.start":                        "requests",
	} {
		err := stream.CheckForeign(subject)
		if !errors.Is(err, stream.ErrOwned) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want one with %s", subject, err, want)
		}
	}
	for _, subject := range []string{"again.AAPL", "tickstock", "tickstock.replay.AAPL", "tickstock.ticksy.AAPL", "tickstock.bars.AAPL", "tickstock.ticks.3.AAPL", "other.ticks.*"} {
		if err := stream.CheckForeign(subject); err != nil {
			t.Errorf("%s: error is %v", subject, err)
		}
	}
}
