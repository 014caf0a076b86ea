package aggregate

import (
	"slices"

	"github.com/tickstock/tickstream/pipeline/candle"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/indicator"
)

// The indicators that alerts are made of.
const (
	nameRSI   = "RSI"
	nameMACD  = "MACD"
	nameBands = "BB"
)

// The thresholds of AppV2's RSI alerts.
const (
	overbought = 70.0
	oversold   = 30.0
)

// crossings are the indices of the indicators that alerts are made of; -1 where
// one is not computed.
type crossings struct{ rsi, macd, bands int }

func crossingsOf(set *indicator.Set) crossings {
	definitions := set.Definitions()
	find := func(name string) int {
		return slices.IndexFunc(definitions, func(d indicator.Definition) bool { return d.Name == name })
	}
	return crossings{rsi: find(nameRSI), macd: find(nameMACD), bands: find(nameBands)}
}

// levels are what alerts compare from one bar to the next.
type levels struct {
	HasRSI, HasMACD, HasBands bool
	RSI, MACD, Signal         float64
	Close, Upper, Lower       float64
}

func (p *Partition) levelsOf(c candle.Candle, m *measurement) levels {
	now := levels{Close: c.Close}
	for _, r := range m.readings {
		switch r.Indicator {
		case p.crossings.rsi:
			now.HasRSI, now.RSI = true, r.Values[0]
		case p.crossings.macd:
			now.HasMACD, now.MACD, now.Signal = true, r.Values[0], r.Values[1]
		case p.crossings.bands:
			now.HasBands, now.Upper, now.Lower = true, r.Values[0], r.Values[2]
		}
	}
	return now
}

// alert gives the crossings between the last bar and this, and makes this the
// last. A level that the last bar did not have yet cannot be crossed.
func (p *Partition) alert(key event.BarKey, s *study, c candle.Candle, m *measurement) {
	was, is := s.last, p.levelsOf(c, m)
	s.last = is
	give := func(crossed bool, name, of string, value, threshold float64, direction, severity string) {
		if !crossed {
			return
		}
		e := &p.scratch.alert
		*e = event.IndicatorAlert{
			Type: "indicator_alert", Alert: name, BarKey: key, Indicator: of,
			Value: value, Threshold: threshold, Direction: direction, Severity: severity,
		}
		p.results.Alert(e)
	}
	if was.HasRSI && is.HasRSI {
		give(was.RSI <= overbought && is.RSI > overbought, "RSI_OVERBOUGHT", nameRSI, is.RSI, overbought, "above", "warning")
		give(was.RSI >= oversold && is.RSI < oversold, "RSI_OVERSOLD", nameRSI, is.RSI, oversold, "below", "warning")
	}
	if was.HasMACD && is.HasMACD {
		give(was.MACD <= was.Signal && is.MACD > is.Signal, "MACD_BULLISH_CROSS", nameMACD, is.MACD, is.Signal, "above", "info")
		give(was.MACD >= was.Signal && is.MACD < is.Signal, "MACD_BEARISH_CROSS", nameMACD, is.MACD, is.Signal, "below", "info")
	}
	if was.HasBands && is.HasBands {
		give(was.Close <= was.Upper && is.Close > is.Upper, "BB_UPPER_BREAK", nameBands, is.Close, is.Upper, "above", "warning")
		give(was.Close >= was.Lower && is.Close < is.Lower, "BB_LOWER_BREAK", nameBands, is.Close, is.Lower, "below", "warning")
	}
}
