package aggregate

import (
	"encoding/json"
	"fmt"

	"github.com/tickstock/tickstream/pipeline/candle"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/indicator"
	"github.com/tickstock/tickstream/pipeline/pattern"
)

// study is what is computed on a series.
type study struct {
	base []byte   // encoded measures on all bars before those of the series
	head measures // on its closed bars too
	last levels   // of the last closed bar
}

// measures are the state of all indicators and patterns of one series.
type measures struct {
	indicators *indicator.State
	patterns   *pattern.State
}

func (p *plan) newMeasures() measures {
	return measures{p.indicators.Open(nil), p.patterns.Open(nil)}
}

func (p *plan) newStudy() *study {
	s := &study{head: p.newMeasures()}
	s.base = s.head.appendBinary(nil)
	return s
}

func (m *measures) copyFrom(from *measures) {
	m.indicators.Copy(from.indicators)
	m.patterns.Copy(from.patterns)
}

// appendBinary appends the state bit for bit.
func (m *measures) appendBinary(dst []byte) []byte {
	dst, _ = m.indicators.AppendBinary(dst) // neither fails
	dst, _ = m.patterns.AppendBinary(dst)
	return dst
}

// decode is the inverse of appendBinary.
func (m *measures) decode(set *plan, data []byte) (rest []byte, err error) {
	if m.indicators, rest, err = set.indicators.Decode(data); err != nil {
		return nil, fmt.Errorf("indicators: %w", err)
	}
	if m.patterns, rest, err = set.patterns.Decode(rest); err != nil {
		return nil, fmt.Errorf("patterns: %w", err)
	}
	return rest, nil
}

// openBase makes into the measures of the study's base.
func (p *Partition) openBase(s *study, into *measures) {
	if rest, err := into.decode(p.plan, s.base); err != nil || len(rest) > 0 {
		panic("aggregate: measures that were encoded cannot be decoded") // it is memory of our own
	}
}

// measurement is what a study gives for one bar, by the index of the
// definition.
type measurement struct {
	readings []indicator.Reading
	matches  []pattern.Match
}

func (m *measurement) clear() { m.readings, m.matches = m.readings[:0], m.matches[:0] }

func (m *measures) measure(c candle.Candle, into *measurement) {
	into.readings = m.indicators.Update(c, into.readings[:0])
	into.matches = m.patterns.Update(c, into.matches[:0])
}

// scratch is memory that messages use in turn.
type scratch struct {
	bar           event.Bar
	pattern       event.Pattern
	alert         event.IndicatorAlert
	before, after measurement
	base          *measures
	packed        []byte
	closings      []closing
	stood         []standing
}

func newScratch() scratch { return scratch{base: &measures{}} }

// template is what all values of one indicator have in common.
type template struct {
	event.IndicatorTemplate
	outputs int
}

func templatesOf(set *indicator.Set) []template {
	definitions := set.Definitions()
	templates := make([]template, len(definitions))
	for i, d := range definitions {
		parameters, err := json.Marshal(d.Parameters)
		if err != nil || d.Parameters == nil {
			parameters = []byte("{}")
		}
		templates[i] = template{event.IndicatorTemplate{Name: d.Name, Outputs: d.Outputs, Main: d.Main, Parameters: parameters}, len(d.Outputs)}
	}
	return templates
}
