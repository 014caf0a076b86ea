package aggregate

import (
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/indicator"
	"github.com/tickstock/tickstream/pipeline/pattern"
)

func (p *Partition) giveIndicator(key event.BarKey, r indicator.Reading, revision uint32, withdrawn bool) {
	t := &p.templates[r.Indicator]
	p.results.Indicator(&t.IndicatorTemplate, key, r.Values[:t.outputs], revision, withdrawn)
}

func (p *Partition) givePattern(key event.BarKey, sl *slot, m pattern.Match, revision uint32, withdrawn bool) {
	definition := &p.patterns.Definitions()[m.Pattern]
	e := &p.scratch.pattern
	*e = event.Pattern{
		Type: event.KindPattern, Pattern: definition.Name, BarKey: key,
		Score: m.Score, Confidence: m.Confidence, Direction: string(directionOf(definition, m)), Parameters: parametersOf(m),
		Open: sl.sum.Open, High: sl.sum.High, Low: sl.sum.Low, Close: sl.sum.Close, Volume: sl.sum.Volume,
		Revision: revision, Withdrawn: withdrawn,
	}
	p.results.Pattern(e)
}

// directionOf is the side that a match speaks for.
func directionOf(d *pattern.Definition, m pattern.Match) pattern.Direction {
	switch {
	case d.Direction != pattern.BySign:
		return d.Direction
	case m.Score > 0:
		return pattern.Bullish
	default:
		return pattern.Bearish
	}
}

// giveDifferences gives what after has otherwise than before, and withdraws
// what it has no longer. It reports whether there was anything to give.
func (p *Partition) giveDifferences(key event.BarKey, sl *slot, before, after *measurement, revision uint32) bool {
	gave := false
	pairUp(before.readings, after.readings, func(r indicator.Reading) int { return r.Indicator },
		func(was, is *indicator.Reading) {
			switch {
			case is == nil:
				p.giveIndicator(key, *was, revision, true)
			case was == nil || was.Values != is.Values:
				p.giveIndicator(key, *is, revision, false)
			default:
				return
			}
			gave = true
		})
	pairUp(before.matches, after.matches, func(m pattern.Match) int { return m.Pattern },
		func(was, is *pattern.Match) {
			switch {
			case is == nil:
				p.givePattern(key, sl, *was, revision, true)
			case was == nil || *was != *is:
				p.givePattern(key, sl, *is, revision, false)
			default:
				return
			}
			gave = true
		})
	return gave
}

// pairUp walks two lists that are ordered by index together.
func pairUp[T any](before, after []T, index func(T) int, pair func(was, is *T)) {
	for len(before) > 0 || len(after) > 0 {
		switch {
		case len(after) == 0 || len(before) > 0 && index(before[0]) < index(after[0]):
			pair(&before[0], nil)
			before = before[1:]
		case len(before) == 0 || index(after[0]) < index(before[0]):
			pair(nil, &after[0])
			after = after[1:]
		default:
			pair(&before[0], &after[0])
			before, after = before[1:], after[1:]
		}
	}
}

// parametersOf is what a match tells of itself.
func parametersOf(m pattern.Match) map[string]any {
	parameters := map[string]any{"bars": m.Bars, "score": m.Score}
	if m.Shape != (pattern.HeadAndShoulders{}) {
		for name, pivot := range map[string]pattern.Pivot{
			"left_shoulder": m.Shape.LeftShoulder, "left_trough": m.Shape.LeftTrough, "head": m.Shape.Head,
			"right_trough": m.Shape.RightTrough, "right_shoulder": m.Shape.RightShoulder,
		} {
			parameters[name] = map[string]any{"price": pivot.Price, "start": event.Seconds(pivot.Start)}
		}
		parameters["neckline"] = m.Shape.Neckline
	}
	return parameters
}
