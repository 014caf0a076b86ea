package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"

	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats.go/jetstream"
)

// chunkBytes keeps a part of a checkpoint below the server's max_payload.
const chunkBytes = 512 << 10

// manifest is the head of a checkpoint, under the key of its partition; the
// state is in parts, under keys of their own.
type manifest struct {
	Sequence uint64 `json:"sequence"` // in TICKS, of the last message in the state
	// Created is when that TICKS was made, Unix nanoseconds: one made anew counts
	// from 1.
	Created int64 `json:"created"`
	// StoredAt is when the message at Sequence was stored, Unix nanoseconds.
	StoredAt int64  `json:"stored_at"`
	Worker   string `json:"worker"`
	Slot     int    `json:"slot"`  // which of the two sets of parts
	Parts    int    `json:"parts"` // of the state; 0 where there is none
	Bytes    int    `json:"bytes"` // of the state, compressed
	CRC      uint32 `json:"crc"`   // of the compressed state, Castagnoli
	// Rebuild asks for the bars from this time on, Unix nanoseconds, to be made
	// again from TICKS; 0 where nothing is asked.
	Rebuild int64 `json:"rebuild,omitempty"`
	// Rebuilt is the last rebuild that was done, and what it published.
	Rebuilt *rebuilt `json:"rebuilt,omitempty"`
}

// rebuilt is the outcome of a rebuild.
type rebuilt struct {
	From    int64 `json:"from"` // Unix nanoseconds
	Bars    int64 `json:"bars"`
	Signals int64 `json:"signals"`
}

// checkpoints stores the state of one partition. Each write is on the condition
// that nobody wrote since we last read or wrote, so a worker that was taken
// over from cannot put its state over a later one.
type checkpoints struct {
	bucket    jetstream.KeyValue
	partition int
	manifest  manifest
	revision  uint64            // of the manifest; 0 where there is none
	parts     map[string]uint64 // revisions of parts, by key
}

// errTakenOver is returned when another worker has written in between.
var errTakenOver = errors.New("another worker owns the partition")

// errCorrupt is returned for a checkpoint whose parts are not what its head
// says.
var errCorrupt = errors.New("the checkpoint is damaged")

func manifestKey(partition int) string { return strconv.Itoa(partition) }

func partKey(partition, slot, part int) string {
	return fmt.Sprintf("%d.%d.%d", partition, slot, part)
}

// loadHead reads the head alone; errCorrupt where it cannot be read.
func (c *checkpoints) loadHead(ctx context.Context) error {
	c.manifest, c.revision, c.parts = manifest{}, 0, map[string]uint64{}
	entry, err := c.bucket.Get(ctx, manifestKey(c.partition))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read checkpoint: %w", err)
	}
	c.revision = entry.Revision()
	if err := json.Unmarshal(entry.Value(), &c.manifest); err != nil || c.manifest.Parts < 0 || c.manifest.Slot < 0 || c.manifest.Slot > 1 {
		c.manifest = manifest{}
		return errCorrupt
	}
	return nil
}

// load reads the head and the state; the state is nil where there is none, or
// with errCorrupt.
func (c *checkpoints) load(ctx context.Context) ([]byte, error) {
	damaged := c.loadHead(ctx)
	if damaged != nil && !errors.Is(damaged, errCorrupt) {
		return nil, damaged
	}
	// The parts of both slots are looked at, so that whoever is taken over from
	// can write over neither.
	var compressed []byte
	for slot := range 2 {
		for part := 0; ; part++ {
			key := partKey(c.partition, slot, part)
			entry, err := c.bucket.Get(ctx, key)
			if errors.Is(err, jetstream.ErrKeyNotFound) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("read checkpoint part: %w", err)
			}
			c.parts[key] = entry.Revision()
			if slot == c.manifest.Slot && part < c.manifest.Parts {
				compressed = append(compressed, entry.Value()...)
			}
		}
	}
	if damaged != nil || c.manifest.Parts == 0 {
		return nil, damaged
	}
	return c.manifest.unpack(compressed)
}

// changed tells whether another has written the head since we read or wrote it.
func (c *checkpoints) changed(ctx context.Context) (bool, error) {
	entry, err := c.bucket.Get(ctx, manifestKey(c.partition))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return c.revision != 0, nil
	}
	if err != nil {
		return false, fmt.Errorf("read checkpoint: %w", err)
	}
	return entry.Revision() != c.revision, nil
}

// pack compresses state into parts and describes them in m.
func (m *manifest) pack(state []byte) [][]byte {
	compressed := s2.Encode(nil, state)
	m.seal(compressed)
	parts := slices.Collect(slices.Chunk(compressed, chunkBytes))
	m.Parts = len(parts)
	return parts
}

// seal notes by what the compressed state is known again.
func (m *manifest) seal(compressed []byte) {
	m.Bytes, m.CRC = len(compressed), crc32.Checksum(compressed, crc32.MakeTable(crc32.Castagnoli))
}

// maxState is more than a partition of 50,000 symbols has, in bytes.
const maxState = 1 << 30

// unpack is the state of which compressed are the parts; errCorrupt where they
// are not what m describes.
func (m *manifest) unpack(compressed []byte) ([]byte, error) {
	if len(compressed) != m.Bytes || crc32.Checksum(compressed, crc32.MakeTable(crc32.Castagnoli)) != m.CRC {
		return nil, errCorrupt
	}
	if length, err := s2.DecodedLen(compressed); err != nil || length > maxState {
		return nil, errCorrupt
	}
	state, err := s2.Decode(nil, compressed)
	if err != nil {
		return nil, errCorrupt
	}
	return state, nil
}

// save stores state beside the one that holds, then lets the head point to it.
func (c *checkpoints) save(ctx context.Context, next manifest, state []byte) error {
	next.Slot = 1 - c.manifest.Slot
	for part, value := range next.pack(state) {
		if err := c.put(ctx, partKey(c.partition, next.Slot, part), value); err != nil {
			return err
		}
	}
	return c.point(ctx, next)
}

// put writes a part.
func (c *checkpoints) put(ctx context.Context, key string, value []byte) error {
	revision, err := c.bucket.Update(ctx, key, value, c.parts[key])
	if err != nil {
		return fenced("write checkpoint part", err)
	}
	c.parts[key] = revision
	return nil
}

// point writes the head.
func (c *checkpoints) point(ctx context.Context, next manifest) error {
	head, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("encode checkpoint: %w", err)
	}
	revision, err := c.bucket.Update(ctx, manifestKey(c.partition), head, c.revision)
	if err != nil {
		return fenced("write checkpoint", err)
	}
	c.revision, c.manifest = revision, next
	return nil
}

func fenced(doing string, err error) error {
	if conflicts(err) {
		return fmt.Errorf("%s: %w", doing, errTakenOver)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
