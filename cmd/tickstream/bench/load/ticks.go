package load

import "time"

// Ticks renders the ticks of several symbols, one after the other.
type Ticks struct {
	payloads []payload
}

// NewTicks makes templates for so many symbols.
func NewTicks(symbols int) *Ticks {
	t := &Ticks{payloads: make([]payload, symbols)}
	for i := range t.payloads {
		t.payloads[i] = newPayload(Symbol(i), i)
	}
	return t
}

// Symbol is the index of the symbol that the tick of that number is of.
func (t *Ticks) Symbol(number int64) int { return int(number % int64(len(t.payloads))) }

// Append appends the payload of the tick of that number.
func (t *Ticks) Append(dst []byte, number int64, event, sent time.Time) []byte {
	p := &t.payloads[t.Symbol(number)]
	p.set(number, event, sent)
	return append(dst, p.text...)
}
