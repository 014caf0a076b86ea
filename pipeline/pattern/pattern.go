// Package pattern recognises candlestick patterns, and Head and Shoulders,
// bar by bar.
//
// # Candlesticks
//
// Each definition is that of TA-Lib's C library with its default candle
// settings: thresholds, strict and loose comparisons, lookback and score are
// the same, and so is the arithmetic. The library judges "long", "short" and
// "near" against an average over the bars before the one judged, kept as a
// running total: summed once over a first window, then moved on by adding
// (newest − oldest). A total that is moved on keeps the rounding of every
// earlier step, and each pattern starts its own total at its own first bar, so
// at a threshold that is met exactly (common with prices on a one-cent grid,
// and after flat runs) a freshly summed window can decide otherwise than the
// library does. A [State] therefore carries the library's totals themselves;
// [State.AppendBinary] stores them bit for bit, and a state resumed from there
// goes on with the same results. It follows that a state opened on a later
// first bar is the library's answer for that shorter series, which at such
// exact thresholds may differ from the longer one's.
//
// As in the library, a bar whose close equals its open is white, and no
// pattern looks at the trend before it.
//
// # Confidence
//
// The library's score says that a shape is there; [Match.Confidence] says how
// clear it is. Each of the pattern's conditions gets a clarity from 0 (only
// just met) to 1 (unmistakable), and the confidence is their weighted mean. It
// never falls when one of them becomes clearer and the others stay: a shape just
// over its thresholds is worth little, 0.8 is a shape as in a textbook. The
// weights stand with each pattern's function.
package pattern

// Direction is the side of the market that a pattern speaks for.
type Direction string

// The directions of a [Definition].
const (
	Bullish Direction = "bullish"
	Bearish Direction = "bearish"
	Neutral Direction = "neutral"
	// BySign marks a pattern that occurs on both sides under one name: a
	// positive score is bullish, a negative one bearish.
	BySign Direction = "by_sign"
)

// Definition names one pattern.
type Definition struct {
	Name      string    // display name, "Bullish Engulfing"
	Token     string    // the name as one subject token, "Bullish_Engulfing"
	TALib     string    // TA-Lib's function, "CDLENGULFING"; empty where it has none
	Direction Direction // which side the pattern speaks for
	Bars      int       // bars that the shape spans; 0 where it varies
	Lookback  int       // bars that must precede the first one judged

	kind kind
}

// Match is one pattern found on the bar just given.
type Match struct {
	Pattern    int     // index into [Set.Definitions]
	Score      int     // TA-Lib's integer: ±100, or ±80 where one end of two bodies is equal
	Confidence float64 // how clear the shape is, 0 to 1
	Bars       int     // bars from the first one of the shape to this one

	// Shape is set for Head and Shoulders and its inverse only.
	Shape HeadAndShoulders
}
