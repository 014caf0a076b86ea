package bridge

import (
	"github.com/nats-io/nats.go"
)

// Headers of a tick in TICKS. Ids are not in the header by which the server
// remembers them: for the length of the duplicate window that costs it half as
// much again for each tick, and 100 bytes of memory. That no tick is stored
// twice does not rest on it, see [appender].
const (
	// idHeader holds the id.
	idHeader = "Tick-Id"
	// batchHeader, of the first message of a fast batch, names the batch.
	batchHeader = "Tick-Batch"
	// lateHeader marks a tick that only a bridge on standby had heard: the bridge
	// that led has stored newer ones before it.
	lateHeader = "Tick-Late"
)

// idOf is the id of a stored message. Rejects, and ticks of an earlier version,
// have it where the server looks too.
func idOf(header nats.Header) string {
	if id := header.Get(idHeader); id != "" {
		return id
	}
	return header.Get(nats.MsgIdHdr)
}
