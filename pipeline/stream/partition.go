package stream

import (
	"hash/fnv"
	"strings"
)

// PartitionOf is the partition of a symbol where there are so many: what the
// server's partition transform gives, which is FNV-1a of the token modulo their
// number.
func PartitionOf(symbol string, partitions int) int {
	return partitionOfToken(EncodeSymbol(symbol), partitions)
}

// PublishedPartition is the partition that a tick or a clock mark, published
// under subject, is stored in where there are so many; -1 for anything else.
func PublishedPartition(subject string, partitions int) int {
	if token, isTick := strings.CutPrefix(subject, tickPrefix); isTick {
		return partitionOfToken(token, partitions)
	}
	if partition, isMark := ParseClockMark(subject); isMark && partition < partitions {
		return partition
	}
	return -1
}

func partitionOfToken(token string, partitions int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(token))              // never fails
	return int(h.Sum32() % uint32(partitions)) //nolint:gosec // at most 256
}
