package aggregate

import (
	"encoding/json"

	"github.com/tickstock/tickstream/pipeline/candle"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/indicator"
	"github.com/tickstock/tickstream/pipeline/pattern"
)

// study is the state of all indicators and patterns of one series.
type study struct {
	indicators *indicator.State
	patterns   *pattern.State
}

func (p *plan) newStudy() *study {
	return &study{p.indicators.Open(nil), p.patterns.Open(nil)}
}

func (s *study) copyFrom(from *study) {
	s.indicators.Copy(from.indicators)
	s.patterns.Copy(from.patterns)
}

// measurement is what a study gives for one bar, by the index of the
// definition.
type measurement struct {
	readings []indicator.Reading
	matches  []pattern.Match
}

func (m *measurement) clear() { m.readings, m.matches = m.readings[:0], m.matches[:0] }

func (s *study) measure(c candle.Candle, m *measurement) {
	m.readings = s.indicators.Update(c, m.readings[:0])
	m.matches = s.patterns.Update(c, m.matches[:0])
}

// scratch is memory that messages use in turn.
type scratch struct {
	bar           event.Bar
	pattern       event.Pattern
	alert         event.IndicatorAlert
	before, after measurement
	old           *study
	closings      []closing
	stood         []standing
}

func newScratch(p *plan) scratch { return scratch{old: p.newStudy()} }

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
