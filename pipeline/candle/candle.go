// Package candle holds a bar as indicators and patterns read it: binary
// floating point, as the published definitions of both are computed.
//
// Bars themselves are exact decimals; a candle is made from a finished bar and
// never summed back into one.
package candle

// Candle is one bar of a symbol and timeframe.
type Candle struct {
	Start  int64 // Unix seconds at which the bar begins
	Day    int32 // market day that the bar belongs to, as days since 1970-01-01
	Open   float64
	High   float64
	Low    float64
	Close  float64
	Volume float64 // shares
	VWAP   float64 // volume-weighted average price of the bar's ticks
}
