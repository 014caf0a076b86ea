package worker

import (
	"encoding/binary"
	"errors"
	"testing"
)

// A head and parts that fit each other, but claim a state beyond all measure:
// memory is not asked for before that is seen.
func TestHugeStateIsCorrupt(t *testing.T) {
	var m manifest

	packed := m.pack([]byte("state"))[0]
	if state, err := m.unpack(packed); err != nil || string(state) != "state" {
		t.Fatalf("unpack = %q, %v", state, err)
	}
	// The length of what is packed stands in front, as a varint.
	_, n := binary.Uvarint(packed)
	bomb := append(binary.AppendUvarint(nil, maxState+1), packed[n:]...)
	m.seal(bomb)
	if _, err := m.unpack(bomb); !errors.Is(err, errCorrupt) {
		t.Errorf("unpack = %v, want %v", err, errCorrupt)
	}
}
