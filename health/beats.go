package health

import (
	"sync"
	"time"
)

// beats remembers when each loop last came round.
type beats struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (b *beats) beat(loop string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at == nil {
		b.at = map[string]time.Time{}
	}
	b.at[loop] = time.Now()
}

// end is called by a loop that ends as it should.
func (b *beats) end(loop string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.at, loop)
}

// oldest is the last beat of the loop that is most behind; zero if none runs.
func (b *beats) oldest() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	var oldest time.Time
	for _, at := range b.at {
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
	}
	return oldest
}
