package trial

import (
	"log/slog"
	"testing"
	"time"

	"github.com/tickstock/tickstream/cmd/tickstream/bench/load"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// What is lost, doubled or out of order in a stream is found.
func TestReadingFindsWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		numbers                            []int64
		lost, doubled, disordered, foreign int64
	}{
		"sound":        {[]int64{0, 1, 2, 3, 4, 5}, 0, 0, 0, 0},
		"symbols meet": {[]int64{1, 0, 3, 2, 5, 4}, 0, 0, 0, 0},
		"lost":         {[]int64{0, 1, 3, 5}, 2, 0, 0, 0},
		"doubled":      {[]int64{0, 1, 2, 3, 2, 4, 5}, 0, 1, 0, 0},
		"out of order": {[]int64{0, 1, 4, 3, 2, 5}, 0, 0, 1, 0},
		"foreign":      {[]int64{0, 1, 2, 3, 4, 5, 6}, 0, 0, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			js := testbed.StartNATS(t).JetStream()
			if _, err := stream.Ensure(t.Context(), js, stream.Config{}, slog.New(slog.DiscardHandler)); err != nil {
				t.Fatal(err)
			}
			const symbols = 2
			ticks := load.NewTicks(symbols)
			sent := time.Now().Add(-time.Second)
			for _, n := range test.numbers {
				if _, err := js.Publish(t.Context(), stream.TickSubject(load.Symbol(ticks.Symbol(n))), ticks.Append(nil, n, sent, sent)); err != nil {
					t.Fatal(err)
				}
			}
			r, err := (&store{js: js}).read(t.Context(), stream.Ticks, stream.AllTicks, 6, symbols)
			if err != nil {
				t.Fatal(err)
			}
			if r.lost != test.lost || r.doubled != test.doubled || r.disordered != test.disordered || r.foreign != test.foreign {
				t.Errorf("%d lost, %d doubled, %d out of order, %d foreign", r.lost, r.doubled, r.disordered, r.foreign)
			}
			if sound := test.lost+test.doubled+test.disordered+test.foreign == 0; sound != (r.problem("x") == "") {
				t.Errorf("the problem is %q", r.problem("x"))
			}
			if least := r.delays.Quantile(0); least < 1000 || int64(len(r.delays)) != r.ticks {
				t.Errorf("%d delays, the least %v ms", len(r.delays), least)
			}
		})
	}
}
