package trial_test

import (
	"strings"
	"testing"

	"github.com/tickstock/tickstream/cmd/tickstream/bench/trial"
)

func TestConfigSaysWhatToGive(t *testing.T) {
	err := trial.Config{Sizes: []int{60_000}, Rates: []float64{0}}.Validate()
	if err == nil {
		t.Fatal("it is valid")
	}
	for _, setting := range []string{"rounds", "ticks", "burst", "symbols", "rates", "duration", "minutes", "idle"} {
		if !strings.Contains(err.Error(), setting+" is ") {
			t.Errorf("nothing about %s: %v", setting, err)
		}
	}
}
