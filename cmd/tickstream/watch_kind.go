package main

import (
	"slices"

	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// watchKind is what watch may be asked to follow.
type watchKind struct {
	name string
	// subjects by the stream that stores them.
	subjects map[string][]string
	// channels of Redis; nil where it has none.
	channels func(event.Channels) []string
}

// watchKinds are all of them.
var watchKinds = []watchKind{
	{"health", map[string][]string{stream.Health: {stream.HealthStatus, stream.HealthGap}},
		func(c event.Channels) []string { return []string{c.Health} }},
	{"session", map[string][]string{stream.Health: {stream.SessionStarted, stream.SessionStopped}},
		func(c event.Channels) []string { return []string{c.SessionStarted, c.SessionStopped} }},
	{"ticks", map[string][]string{stream.Ticks: {stream.AllTicks}},
		func(c event.Channels) []string { return []string{c.Ticks} }},
	{"bars", map[string][]string{stream.Bars: {"tickstock.bars.>"}}, nil},
	// Patterns of high confidence go out on a second channel, too.
	{"signals", map[string][]string{stream.Signals: {"tickstock.signals.>"}},
		func(c event.Channels) []string { return []string{c.Indicators, c.Patterns, c.AlertsIndicator} }},
	{"alerts", map[string][]string{stream.Signals: {"tickstock.signals.alert.>"}, stream.Health: {stream.HealthAlert}},
		func(c event.Channels) []string { return []string{c.AlertsIndicator, c.AlertsCritical} }},
	{"rejects", map[string][]string{stream.Rejects: {stream.AllRejects}}, nil},
}

// defaultWatchKinds are what watch follows if it is not told.
var defaultWatchKinds = []string{"health", "session", "alerts"}

// watchedSubjects joins the subjects of kinds by their stream, none of which is
// part of another, as a consumer demands.
func watchedSubjects(kinds []watchKind) map[string][]string {
	joined := map[string][]string{}
	signals := slices.ContainsFunc(kinds, func(k watchKind) bool { return k.name == "signals" })
	for _, k := range kinds {
		for name, subjects := range k.subjects {
			if name == stream.Signals && k.name == "alerts" && signals {
				continue
			}
			joined[name] = slices.Compact(slices.Sorted(slices.Values(append(joined[name], subjects...))))
		}
	}
	return joined
}

func watchedChannels(kinds []watchKind, c event.Channels) []string {
	var joined []string
	for _, k := range kinds {
		joined = append(joined, k.channels(c)...)
	}
	slices.Sort(joined)
	return slices.Compact(joined)
}

func watches(kinds []watchKind, name string) bool {
	return slices.ContainsFunc(kinds, func(k watchKind) bool { return k.name == name })
}
