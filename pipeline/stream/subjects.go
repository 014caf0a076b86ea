package stream

import (
	"fmt"
	"strconv"
	"strings"
)

// Subjects that name one thing each. The functions below make the others.
const (
	// HealthStatus carries each health event.
	HealthStatus = "tickstock.health.status"
	// HealthAlert carries critical alerts and their recovery.
	HealthAlert = "tickstock.health.alert"
	// HealthGap carries each interval in which the bridge was not subscribed.
	HealthGap = "tickstock.health.gap"
	// SessionStarted and SessionStopped carry the session's two events.
	SessionStarted = "tickstock.session.started"
	SessionStopped = "tickstock.session.stopped"

	// Persistence is outside every stream: the store confirms each batch there.
	Persistence = "tickstock.persistence"

	// AllTicks filters every stored tick and no clock mark.
	AllTicks = "tickstock.ticks.*.*"
	// AllClockMarks filters every clock mark.
	AllClockMarks = "tickstock.clock.*.mark"
	// AllBars and AllSignals filter every bar and every signal.
	AllBars    = "tickstock.bars.*.*"
	AllSignals = "tickstock.signals.*.*.*"
	// ClockPrefix begins the subjects of clock marks.
	ClockPrefix = "tickstock.clock."
	// AllRejects filters every reject.
	AllRejects = "tickstock.rejects.*"
)

// Where publishers address ticks; the stream's transform adds the partition.
const (
	ticksPublished = "tickstock.ticks.*"
	tickPrefix     = "tickstock.ticks."
	clockSuffix    = ".mark"
	barPrefix      = "tickstock.bars."
	signalPrefix   = "tickstock.signals."
	rejectPrefix   = "tickstock.rejects."
	progressPrefix = "tickstock.progress."
)

// TickSubject is where a tick of symbol is published.
func TickSubject[S ~string | ~[]byte](symbol S) string {
	return string(AppendSymbol(append(make([]byte, 0, len(tickPrefix)+len(symbol)+8), tickPrefix...), symbol))
}

// TickFilter matches the stored ticks of symbol in whichever partition.
func TickFilter(symbol string) string { return tickPrefix + "*." + EncodeSymbol(symbol) }

// PartitionFilter matches the stored ticks and the clock marks of one partition.
// It is one filter, because a consumer with two costs the server a search of all
// subjects for each message.
func PartitionFilter(partition int) string {
	return "tickstock.*." + strconv.Itoa(partition) + ".*"
}

// StoredTick is what the subject of a stored tick says.
type StoredTick struct {
	Partition int
	Symbol    string
}

// ParseStoredTick reads the subject of a stored tick; ok is false for any
// other subject.
func ParseStoredTick(subject string) (StoredTick, bool) {
	rest, ok := strings.CutPrefix(subject, tickPrefix)
	if !ok {
		return StoredTick{}, false
	}
	partition, token, ok := strings.Cut(rest, ".")
	if !ok {
		return StoredTick{}, false
	}
	p, err := strconv.Atoi(partition)
	if err != nil || p < 0 {
		return StoredTick{}, false
	}
	symbol, err := DecodeSymbol(token)
	if err != nil {
		return StoredTick{}, false
	}
	return StoredTick{Partition: p, Symbol: symbol}, true
}

// IsStoredTick tells whether subject is that of a stored tick of symbol.
func IsStoredTick(subject string, symbol []byte) bool {
	rest, ok := strings.CutPrefix(subject, tickPrefix)
	if !ok {
		return false
	}
	_, token, ok := strings.Cut(rest, ".")
	if !ok || len(symbol) == 0 {
		return false
	}
	for _, c := range symbol {
		switch {
		case token == "":
			return false
		case plain(c):
			if token[0] != c {
				return false
			}
			token = token[1:]
		case len(token) < 3 || token[0] != '=' || token[1] != hexDigits[c>>4] || token[2] != hexDigits[c&0xF]:
			return false
		default:
			token = token[3:]
		}
	}
	return token == ""
}

// StoredPartition is the partition of a message in TICKS; -1 for any other
// subject.
func StoredPartition(subject string) int {
	rest, ok := strings.CutPrefix(subject, tickPrefix)
	if !ok {
		if rest, ok = strings.CutPrefix(subject, ClockPrefix); !ok {
			return -1
		}
	}
	number, _, ok := strings.Cut(rest, ".")
	if partition, err := strconv.Atoi(number); ok && err == nil {
		return partition
	}
	return -1
}

// ClockSubject is where the clock marks of a partition are published.
func ClockSubject(partition int) string { return ClockPrefix + strconv.Itoa(partition) + clockSuffix }

// ParseClockMark reads the partition of a clock mark's subject; ok is false for
// any other subject.
func ParseClockMark(subject string) (partition int, ok bool) {
	rest, isClock := strings.CutPrefix(subject, ClockPrefix)
	number, isMark := strings.CutSuffix(rest, clockSuffix)
	partition, err := strconv.Atoi(number)
	return partition, isClock && isMark && err == nil && partition >= 0
}

// BarSubject is where closed bars of a timeframe ("1min") and symbol go.
func BarSubject(timeframe, symbol string) string {
	return barPrefix + timeframe + "." + EncodeSymbol(symbol)
}

// BarFilter matches the bars of a timeframe and symbol; an empty one is all.
func BarFilter(timeframe, symbol string) string {
	return barPrefix + filterToken(timeframe) + "." + filterToken(symbol)
}

// SignalFilter matches the results of [SignalSubject]; an empty name or symbol
// is all.
func SignalFilter(kind, name, symbol string) string {
	return signalPrefix + kind + "." + filterToken(name) + "." + filterToken(symbol)
}

// filterToken is the token of a name, or the wildcard for none.
func filterToken(name string) string {
	if name == "" {
		return "*"
	}
	return EncodeSymbol(name)
}

// SignalSubject is where a result goes; kind is "indicator", "pattern" or
// "alert", and name the indicator's, pattern's or alert's own.
func SignalSubject(kind, name, symbol string) string {
	return fmt.Sprintf("%s%s.%s.%s", signalPrefix, kind, EncodeSymbol(name), EncodeSymbol(symbol))
}

// PatternToken is a pattern's display name as a name of [SignalSubject]:
// Bullish_Engulfing.
func PatternToken(name string) string { return strings.ReplaceAll(name, " ", "_") }

// ProgressSubject is where the pipeline marks how far the results of a
// partition go that are in the stream.
func ProgressSubject(stream string, partition int) string {
	return progressPrefix + strings.ToLower(stream) + "." + strconv.Itoa(partition)
}

// SignalsOf filters the signals of one kind.
func SignalsOf(kind string) string { return SignalFilter(kind, "", "") }

// SignalsOfSymbol filters the signals of one kind and symbol.
func SignalsOfSymbol(kind, symbol string) string {
	return signalPrefix + kind + ".*." + EncodeSymbol(symbol)
}

// RejectSubject is where refused input goes, by the reason of its refusal.
func RejectSubject(reason string) string { return rejectPrefix + EncodeSymbol(reason) }
