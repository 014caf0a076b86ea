package dashboard

import (
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"
	"github.com/tickstock/tickstream/pipeline/presence"
)

// doesOf says in words what a component does, and in which tone.
func doesOf(r presence.Report) (does, tone string) {
	var said []string
	tone = toneGood
	if b := r.Bridge; b != nil {
		switch {
		case b.State == presence.StateStandby:
			said = append(said, "on standby for "+b.Source)
		case b.Subscribed:
			said = append(said, "subscribed to "+b.Source, many(b.Stored, "tick")+" stored")
		default:
			said, tone = append(said, "not subscribed to "+b.Source), toneWarning
		}
		if b.SpooledTicks > 0 {
			said, tone = append(said, many(b.SpooledTicks, "tick")+" on disk"), toneWarning
		}
	}
	if e := r.Egress; e != nil && e.Active {
		var sent int64
		for _, c := range e.Channels {
			sent += c.Published
		}
		said = append(said, many(sent, "event")+" sent to AppV2")
	}
	if p := r.Pipeline; p != nil {
		said = append(said, many(int64(len(p.Partitions)), "partition"), many(p.Bars, "bar"), many(p.Signals, "signal"))
	}
	if s := r.Store; s != nil && s.Active {
		var rows int64
		for _, n := range s.Rows {
			rows += n
		}
		said = append(said, many(rows, "row")+" stored")
		if s.Error != "" {
			said, tone = append(said, s.Error), toneWarning
		}
	}
	if len(said) == 0 {
		said = append(said, "measures, and tells both buses")
	}
	return strings.Join(said, ", "), tone
}

func many(n int64, thing string) string {
	return humanize.Comma(n) + " " + english.PluralWord(int(min(n, 2)), thing, "")
}
