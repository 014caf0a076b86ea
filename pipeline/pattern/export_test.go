package pattern

import (
	"encoding/binary"
	"hash/crc32"
)

// Sealed returns b with its last four bytes replaced by a checksum that fits,
// so that a fuzzer gets past it.
func Sealed(b []byte) []byte {
	if len(b) < 4 {
		return b
	}
	body := b[: len(b)-4 : len(b)-4]
	return binary.LittleEndian.AppendUint32(body, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}
