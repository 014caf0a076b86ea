package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/nats-io/nats.go"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// tick is the line of a tick, empty for what is none.
func (p *printer) tick(at time.Time, payload []byte) string {
	decoder, err := tick.NewDecoder(tick.Limits{MaxFuture: 24 * time.Hour})
	if err != nil {
		return ""
	}
	var t tick.Tick
	if decoder.Decode(payload, at, &t) != nil {
		return ""
	}
	when := time.Unix(0, t.UnixNanos).UTC().Format("2006-01-02T15:04:05.000Z")
	return fmt.Sprintf("%s tick       %s  %s  volume %s", p.paint.paint(grey, when), t.Symbol, t.Price, t.Volume)
}

// reject is what was refused and why.
func (p *printer) reject(headers nats.Header, at time.Time, payload []byte) string {
	reason, detail, source := headers.Get(event.HeaderRejectReason), headers.Get(event.HeaderRejectDetail), headers.Get(event.HeaderRejectSource)
	if !p.json {
		return fmt.Sprintf("%s %s  %s  %.80q", p.paint.paint(grey, at.UTC().Format("2006-01-02T15:04:05Z")), p.paint.paint(yellow, "reject "+reason), detail, payload)
	}
	line, err := json.Marshal(struct {
		Type    string `json:"type"`
		Reason  string `json:"reason"`
		Detail  string `json:"detail"`
		Source  string `json:"source"`
		At      string `json:"stored_at"`
		Payload string `json:"payload"`
	}{"reject", reason, detail, source, at.UTC().Format(time.RFC3339Nano), string(payload)})
	if err != nil {
		return fmt.Sprintf("%q", payload) // strings can always be encoded
	}
	return string(line)
}

// market is the line of a bar or a signal: as a stream holds it, or as AppV2
// gets it, with its body one level down. It is empty for what is neither.
func (p *printer) market(payload []byte) string {
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber() // a price is shown as it was written
	var e fields
	if decoder.Decode(&e) != nil {
		return ""
	}
	kind := cmp.Or(e.word("type"), e.word("kind"))
	for _, body := range []string{"detection", "calculation"} {
		if inner, ok := e[body].(map[string]any); ok {
			e = inner
		}
	}
	var text string
	switch strings.TrimPrefix(kind, "streaming_") {
	case "bar":
		text = p.paint.paint(green, "bar      ") + e.where() + "  O " + e.word("open") + "  H " + e.word("high") + "  L " + e.word("low") + "  C " + e.word("close") +
			"  volume " + e.word("volume") + e.labelled("vwap", "vwap") + e.labelled("ticks", "tick_count")
	case "indicator":
		text = "indicator" + e.where() + "  " + e.word("indicator", "indicator_type", "name") + "  " + e.word("value") + e.outputs()
	case "pattern":
		text = p.paint.paint(yellow, "pattern  ") + e.where() + "  " + e.word("pattern", "pattern_type", "name") + e.labelled("confidence", "confidence") + e.optional("direction")
	case "indicator_alert", "alert":
		text = p.severity(e.word("severity")) + e.where() + "  " + e.word("alert", "alert_type", "name") + e.alertValue()
	default:
		return ""
	}
	if revision := e.word("revision"); revision != "" && revision != "0" {
		text += "  revision " + revision
	}
	if e.word("withdrawn") == "true" {
		text += "  " + p.paint.paint(red, "withdrawn")
	}
	return p.paint.paint(grey, e.word("start", "timestamp", "time")) + " " + text
}

// fields are the members of an event, read leniently: what is missing or of
// another type is left out of the line.
type fields map[string]any

// word is the first of the members that is a word or a number.
func (f fields) word(names ...string) string {
	for _, name := range names {
		switch v := f[name].(type) {
		case string:
			// Nobody is to move the cursor of this terminal.
			if word := strings.Map(printable, v); word != "" {
				return word
			}
		case json.Number:
			return v.String()
		case bool:
			return fmt.Sprint(v)
		}
	}
	return ""
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return -1
}

func (f fields) optional(name string) string {
	if word := f.word(name); word != "" {
		return "  " + word
	}
	return ""
}

func (f fields) labelled(label, name string) string {
	if word := f.word(name); word != "" {
		return "  " + label + " " + word
	}
	return ""
}

// where is the symbol and the timeframe.
func (f fields) where() string { return f.optional("symbol") + f.optional("timeframe") }

// outputs are the values of an indicator that has several.
func (f fields) outputs() string {
	values, _ := f["values"].(map[string]any)
	if len(values) < 2 {
		return ""
	}
	var names []string
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	var said []string
	for _, name := range names {
		said = append(said, name+" "+fields(values).word(name))
	}
	return "  (" + strings.Join(said, ", ") + ")"
}

// alertValue is what an indicator's alert measured; AppV2's has it one level
// down.
func (f fields) alertValue() string {
	data, ok := f["data"].(map[string]any)
	if !ok {
		data = f
	}
	d := fields(data)
	if d.word("value") == "" {
		return ""
	}
	return "  " + strings.Join(strings.Fields(d.word("indicator")+" "+d.word("value")+" "+d.word("direction")+" "+d.word("threshold")), " ")
}
