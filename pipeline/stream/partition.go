package stream

import "hash/fnv"

// PartitionOf is the partition of a symbol where there are so many: what the
// server's partition transform gives, which is FNV-1a of the token modulo their
// number.
func PartitionOf(symbol string, partitions int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(EncodeSymbol(symbol))) // never fails
	return int(h.Sum32() % uint32(partitions))   //nolint:gosec // at most 256
}
