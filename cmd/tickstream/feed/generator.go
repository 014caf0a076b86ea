package feed

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Kind says what is special about a tick.
type Kind uint8

// The kinds.
const (
	Regular    Kind = iota
	Malformed       // no valid tick
	Late            // valid, its time is well past
	Duplicate       // the bytes of an earlier tick again
	OutOfOrder      // behind a younger tick of its symbol
)

// Tick is one payload and what is special about it.
type Tick struct {
	Kind    Kind
	Symbol  string
	Payload []byte
}

// Generator makes ticks up, deterministic by its seed and the times that it is
// given. Prices follow a geometric Brownian motion, volumes the U of a trading
// day. Symbols take turns in shuffled rounds, so that all are soon active.
type Generator struct {
	cfg     Config
	rng     *rand.Rand
	symbols []*walk
	round   []*walk // those whose turn is still to come
	queue   []Tick  // to go out before anything new
	owed    int     // ticks still to be held back
}

// walk is the random walk of one symbol.
type walk struct {
	symbol     string
	quoted     []byte  // as a JSON string
	logPrice   float64 // a parameter of the process; prices are rounded from it
	volatility float64 // a year
	size       float64 // typical shares a tick
	cents      int64   // the last price
	last       time.Time
	held       *Tick // to go out behind the symbol's next tick
}

// NewGenerator makes a generator for cfg's symbols, shape, shares and seed.
func NewGenerator(cfg Config) (*Generator, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("feed settings: %w", err)
	}
	cfg = cfg.withDefaults()
	g := &Generator{cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 0x7469636b))}
	for _, symbol := range cfg.Symbols {
		g.symbols = append(g.symbols, &walk{
			symbol: symbol, quoted: appendString(nil, symbol),
			logPrice:   math.Log(20) + g.rng.Float64()*math.Log(30), // 20 to 600
			volatility: 0.15 + 0.45*g.rng.Float64(),
			size:       math.Exp(3 + 2.5*g.rng.Float64()), // 20 to 245
		})
	}
	return g, nil
}

// Next makes the tick of the moment at.
func (g *Generator) Next(at time.Time) Tick {
	if len(g.queue) > 0 {
		t := g.queue[0]
		g.queue = g.queue[1:]
		return t
	}
	kind := g.kind()
	w := g.turn()
	if kind == OutOfOrder || kind == Regular && g.owed > 0 {
		if w.held == nil && len(g.symbols) > 1 {
			held := g.tick(w, at, OutOfOrder)
			w.held = &held
			if kind == Regular {
				g.owed--
			}
			for w.held == &held {
				w = g.turn() // the first of a new round may be the same one
			}
		} else if kind == OutOfOrder {
			g.owed++ // this symbol has one held back already
		}
		kind = Regular
	}
	t := g.tick(w, at, kind)
	if w.held != nil && (kind == Regular || kind == Duplicate) { // t is valid and younger
		g.queue = append(g.queue, *w.held)
		w.held = nil
	}
	if kind == Duplicate {
		t.Kind = Regular
		g.queue = append(g.queue, Tick{Kind: Duplicate, Symbol: t.Symbol, Payload: t.Payload})
	}
	return t
}

func (g *Generator) kind() Kind {
	// A duplicate and a tick that is held back add one that no roll was made for.
	roll := g.rng.Float64() * (1 - g.cfg.Duplicate - g.cfg.OutOfOrder)
	for _, share := range []struct {
		kind  Kind
		value float64
	}{{Malformed, g.cfg.Malformed}, {Late, g.cfg.Late}, {Duplicate, g.cfg.Duplicate}, {OutOfOrder, g.cfg.OutOfOrder}} {
		if roll < share.value {
			return share.kind
		}
		roll -= share.value
	}
	return Regular
}

// turn is the next symbol of the round.
func (g *Generator) turn() *walk {
	if len(g.round) == 0 {
		g.round = append(g.round, g.symbols...)
		g.rng.Shuffle(len(g.round), func(i, j int) { g.round[i], g.round[j] = g.round[j], g.round[i] })
	}
	w := g.round[len(g.round)-1]
	g.round = g.round[:len(g.round)-1]
	return w
}

func (g *Generator) tick(w *walk, at time.Time, kind Kind) Tick {
	s := g.step(w, at)
	switch kind {
	case Late:
		back := g.cfg.LateBy/5 + time.Duration(g.rng.Float64()*float64(g.cfg.LateBy)*4/5)
		s.at = at.Add(-back)
	case Malformed:
		return Tick{Kind: kind, Symbol: w.symbol, Payload: g.malform(s)}
	}
	return Tick{Kind: kind, Symbol: w.symbol, Payload: s.append(nil)}
}

const (
	tradingYear = 252 * 6.5 * 3600 // seconds
	longestStep = 24 * time.Hour
)

// step moves the walk on to the moment at.
func (g *Generator) step(w *walk, at time.Time) sample {
	elapsed := time.Second
	if !w.last.IsZero() {
		elapsed = min(max(at.Sub(w.last), 0), longestStep)
	}
	w.last = at
	years := elapsed.Seconds() / tradingYear
	w.logPrice += -w.volatility*w.volatility/2*years + w.volatility*math.Sqrt(years)*g.rng.NormFloat64()
	cents := max(1, int64(math.Round(math.Exp(w.logPrice)*100)))
	open := w.cents
	if open == 0 {
		open = cents
	}
	w.cents = cents
	volume := int64(w.size * dayCurve(at) * math.Exp(0.8*g.rng.NormFloat64()))
	spread := g.rng.Int64N(3)
	return sample{
		shape: g.cfg.Shape, quoted: w.quoted, source: g.cfg.Source, at: at.Add(g.cfg.ClockOff),
		open: open, cents: cents, high: max(open, cents) + spread, low: max(1, min(open, cents)-spread),
		volume: max(1, volume),
	}
}

// malform spoils a tick in one of the ways that real feeds do.
func (g *Generator) malform(s sample) []byte {
	whole := s.append(nil)
	replace := func(field, value string) []byte { return replaceField(whole, field, value) }
	symbol := "symbol"
	if s.shape == Raw {
		symbol = "ticker"
	}
	switch g.rng.IntN(12) {
	case 0:
		return whole[:1+g.rng.IntN(len(whole)-1)] // cut off
	case 1:
		return replace("price", "NaN") // what Python writes
	case 2:
		return replace("price", "null")
	case 3:
		return replace("price", "0.0")
	case 4:
		return replace("price", "-"+string(appendCents(nil, s.cents)))
	case 5:
		return replace("price", `"n/a"`)
	case 6:
		return replace(symbol, `""`)
	case 7:
		return replace(symbol, "null")
	case 8:
		return replace("timestamp", "null")
	case 9:
		return replace("volume", "-1")
	case 10:
		return []byte("ping")
	default:
		return append(whole, whole...) // two in one message
	}
}

// replaceField puts value in the place of the field's in one of our own ticks,
// whose values hold neither commas nor braces.
func replaceField(payload []byte, field, value string) []byte {
	start := bytes.Index(payload, []byte(`"`+field+`": `)) + len(field) + 4
	end := start + bytes.IndexAny(payload[start:], ",}")
	spoiled := append([]byte(nil), payload[:start]...)
	return append(append(spoiled, value...), payload[end:]...)
}
