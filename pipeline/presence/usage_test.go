package presence_test

import (
	"crypto/sha256"
	"sync"
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/presence"
)

func TestSamplerMeasuresThisProcess(t *testing.T) {
	sampler, err := presence.NewSampler()
	if err != nil {
		t.Fatal(err)
	}
	first := sampler.Sample()
	if first.MemoryBytes < 1<<20 || first.MemoryPercent <= 0 || first.MemoryPercent > 100 || first.Threads < 1 || first.Allocations < 1 {
		t.Errorf("first sample = %+v, want this process's memory, threads and allocations", first)
	}
	if again := sampler.Sample(); again != first {
		t.Errorf("at once again = %+v, want the same %+v", again, first)
	}
	busy(1200 * time.Millisecond)
	// The machine may be shared, so that a busy loop gets less than a core.
	if used := sampler.Sample().CPUPercent; used < 5 || used > 500 {
		t.Errorf("a busy loop used %.1f%% of a core", used)
	}
}

func TestSamplerIsShared(t *testing.T) {
	sampler, err := presence.NewSampler()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if sampler.Sample().MemoryBytes == 0 {
					t.Error("no memory used")
				}
			}
		})
	}
	wg.Wait()
}

// busy keeps one core busy, for that is what is measured.
func busy(d time.Duration) {
	sum := sha256.Sum256(nil)
	for end := time.Now().Add(d); time.Now().Before(end); {
		sum = sha256.Sum256(sum[:])
	}
}
