package bridge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tickstock/tickstream/bridge/spool"
)

const (
	// leadersPatience is how long JetStream may take nothing before what waits
	// goes to disk.
	leadersPatience = time.Second
	// standbysPatience is longer than the time between two clock marks of the
	// leader, by which one on standby learns what is stored.
	standbysPatience = 15 * time.Second
	// spoolInterval is how long a message then waits for the disk at most.
	spoolInterval = 20 * time.Millisecond
	// spoolBatch is how many messages are written at once.
	spoolBatch = 4096
)

// runSpooler moves what waits in memory to the disk whenever JetStream does not
// take it, until ctx ends.
func (b *backlog) runSpooler(ctx context.Context) {
	if b.spool == nil {
		return
	}
	check := time.NewTimer(0)
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.stirred:
		case now := <-check.C:
			var err error
			if b.stuck(now) {
				err = b.spill()
			}
			b.note(errors.Join(err, b.spool.Sync()))
			if b.empty() {
				continue // until something comes
			}
		}
		check.Reset(spoolInterval)
	}
}

// empty tells whether nothing waits, neither in memory nor on disk.
func (b *backlog) empty() bool {
	for _, n := range b.spool.Waiting() {
		if n > 0 {
			return false
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.memory.count == 0 && len(b.hand.messages) == 0 && len(b.orphans) == 0
}

// stuck tells whether what waits is safer on disk: JetStream takes nothing, or
// memory is half full.
func (b *backlog) stuck(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	waiting := b.memory.count > 0 || len(b.hand.messages) > 0 && !b.hand.onDisk
	return waiting && (now.Sub(b.moved) > b.patience || b.memory.bytes > b.maxBytes/2)
}

// spill moves all that waits in memory to the disk.
func (b *backlog) spill() error {
	for {
		more, err := b.spillSome()
		if errors.Is(err, spool.ErrFull) && b.crowded() {
			// Neither disk nor memory has room: the oldest goes.
			err = errors.Join(b.dropOldest(), err)
			return err
		}
		if err != nil || !more {
			return err
		}
	}
}

func (b *backlog) spillSome() (more bool, err error) {
	b.moving.Lock()
	defer b.moving.Unlock()
	if err := b.spillHand(); err != nil {
		return false, err
	}
	b.mu.Lock()
	var batch []message
	for b.memory.count > 0 && len(batch) < spoolBatch {
		batch = append(batch, b.memory.pop())
	}
	b.mu.Unlock()
	if len(batch) == 0 {
		return false, nil
	}
	err = b.write(batch)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.memory.pushFront(batch)
		return false, err
	}
	signal(b.drained)
	return b.memory.count > 0, nil
}

// spillHand copies to the disk what is under way, which comes before all that is
// to follow there; it stays in hand as well.
func (b *backlog) spillHand() error {
	if b.hand.onDisk || b.hand.orphaned || len(b.hand.messages) == 0 {
		return nil
	}
	waiting := b.spool.Waiting()
	if waiting != (spool.Counts{}) {
		return nil // cannot be: what is taken while the disk holds something is of the disk
	}
	if err := b.write(b.hand.messages); err != nil {
		return err
	}
	for left := len(b.hand.messages); left > 0; { // stepped over
		read := len(b.spool.Read(left))
		if read == 0 {
			break // lost to the disk at once, and still in hand
		}
		left -= read
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hand.onDisk = true
	return nil
}

func (b *backlog) write(batch []message) error {
	if b.spool.Waiting() == (spool.Counts{}) {
		b.mu.Lock()
		behind := b.settled
		b.mu.Unlock()
		if err := b.spool.Consume(0, behind.encode()); err != nil {
			return fmt.Errorf("note where the spool begins: %w", err)
		}
	}
	records := make([]spool.Record, len(batch))
	for i := range batch {
		var err error
		if records[i], err = b.names.encode(&batch[i]); err != nil {
			return err
		}
	}
	return b.spool.Append(records) //nolint:wrapcheck // it says what it did
}

// crowded tells that memory is nearly full.
func (b *backlog) crowded() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.memory.bytes > b.maxBytes*3/4
}

// dropOldest gives up the oldest segment on disk. What of it is in hand is not
// lost: it is being published.
func (b *backlog) dropOldest() error {
	b.moving.Lock()
	defer b.moving.Unlock()
	var gaps []missed
	lost, err := b.spool.DropOldest(func(r spool.Record) {
		if r.Kind != otherRecord {
			return
		}
		if m := b.names.decode(r); m.gap != nil {
			gaps = append(gaps, *m.gap)
		}
	})
	b.tell(gaps)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shed += lost[tickRecord]
	if b.hand.onDisk {
		b.shed -= b.hand.ticks
		b.hand.onDisk, b.hand.orphaned = false, true
	}
	return err //nolint:wrapcheck // it says what it did
}

// noteConsumed keeps and logs a change of whether the spool can note what of it
// is consumed.
func (b *backlog) noteConsumed(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	b.mu.Lock()
	before := b.unplaced
	b.unplaced = text
	b.mu.Unlock()
	if text != "" && before == "" {
		b.log.Error("cannot note what of the spool is stored; a restart looks it up again", "err", err)
	}
}

// note keeps and logs a change of the spool's state.
func (b *backlog) note(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	b.mu.Lock()
	before := b.failure
	b.failure = text
	b.mu.Unlock()
	switch {
	case text != "" && before == "":
		b.log.Error("cannot spool, keeping ticks in memory", "err", err)
	case text == "" && before != "":
		b.log.Info("spooling again")
	}
}
