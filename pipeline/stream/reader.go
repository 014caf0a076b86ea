package stream

import (
	"crypto/rand"
	"strings"
)

// ReaderName is the name of a consumer that lives no longer than its reader, as
// `nats consumer report` shows it: who reads, and what no other reader has.
func ReaderName(who string) string { return who + "-" + strings.ToLower(rand.Text()[:8]) }
