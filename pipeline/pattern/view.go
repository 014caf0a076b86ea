package pattern

import "math"

// The library's candle colours. A close that equals the open is white.
const (
	white = +1
	black = -1
)

// ohlc is a bar as the state keeps it.
type ohlc struct {
	start                  int64 // Unix seconds
	open, high, low, close float64
}

func (b *ohlc) body() float64 { return math.Abs(b.close - b.open) }
func (b *ohlc) span() float64 { return b.high - b.low }

// shape is a bar with the measures that patterns ask for.
type shape struct {
	open, high, low, close float64
	color                  int
	body, upper, lower     float64 // real body and shadows
	top, bottom            float64 // ends of the real body
}

func newShape(b *ohlc) shape {
	s := shape{open: b.open, high: b.high, low: b.low, close: b.close, body: b.body()}
	s.color, s.top, s.bottom = white, b.close, b.open
	if b.close < b.open {
		s.color, s.top, s.bottom = black, b.open, b.close
	}
	s.upper, s.lower = b.high-s.top, s.bottom-b.low
	return s
}

// view is what a pattern may look at: the newest four bars, the newest first,
// and the totals that stand for the newest three.
type view struct {
	bars  [4]shape
	means [3]totals // divided by their period
}

// long is the body above which the bar back is long, and below which it is
// short; total is the running total of the asking pattern.
func (v *view) long(total, back int) float64 { return v.means[back][total] }

// The conversions below keep a compiler from fusing a product into the sum
// that follows, which would round once where the library rounds twice.

// tiny is the limit of a doji's body and of a very short shadow.
func (v *view) tiny(total, back int) float64 { return float64(0.1 * v.means[back][total]) }

// near is the distance within which prices are near each other.
func (v *view) near(total, back int) float64 { return float64(0.2 * v.means[back][total]) }

// far is the difference from which lengths are far from each other.
func (v *view) far(total, back int) float64 { return float64(0.6 * v.means[back][total]) }

// gapUp tells that a's body lies wholly above b's; gapDown that it lies below.
func gapUp(a, b *shape) bool   { return a.bottom > b.top }
func gapDown(a, b *shape) bool { return a.top < b.bottom }
