package tick

// object is what the one pass over a payload notes beside the numbers, which
// go to the tick at once. Of a duplicate key the last value counts, as in
// Python.
type object struct {
	symbol, ticker, source, kind member
	price, volume, timestamp     member

	notFinite bool   // a price was NaN or infinite
	invalid   Fields // optional numbers that are no such number
}

// longestKey is the room that a known key takes when each of its bytes is
// escaped.
const longestKey = 6 * len("tick_volume")

// scan reads the whole payload, an object that begins at p[i].
func (o *object) scan(p []byte, i int, t *Tick) (end int, ok bool) {
	i = skipSpace(p, i+1)
	if i < len(p) && p[i] == '}' {
		i = skipSpace(p, i+1)
		return i, i == len(p)
	}
	for {
		if i >= len(p) || p[i] != '"' {
			return i, false
		}
		at, escaped, ok := scanString(p, i)
		if !ok {
			return at, false
		}
		key := p[i+1 : at-1]
		if i = skipSpace(p, at); i >= len(p) || p[i] != ':' {
			return i, false
		}
		i = skipSpace(p, i+1)
		if escaped {
			i, ok = o.scanEscaped(key, p, i, t)
		} else {
			i, ok = o.scanMember(key, p, i, t)
		}
		if !ok {
			return i, false
		}
		if i = skipSpace(p, i); i < len(p) && p[i] == ',' {
			i = skipSpace(p, i+1)
			continue
		}
		if i >= len(p) || p[i] != '}' {
			return i, false
		}
		i = skipSpace(p, i+1)
		return i, i == len(p)
	}
}

func (o *object) scanEscaped(key, p []byte, i int, t *Tick) (end int, ok bool) {
	if len(key) > longestKey {
		return skipValue(p, i, 1)
	}
	var buf [longestKey]byte
	return o.scanMember(unescape(buf[:0], key), p, i, t)
}

// scanMember reads the value of key at p[i:].
func (o *object) scanMember(key, p []byte, i int, t *Tick) (end int, ok bool) {
	switch string(key) {
	case "symbol":
		return o.symbol.scanText(p, i)
	case "price":
		return o.scanPrice(p, i, t)
	case "volume":
		return o.volume.scanDecimal(p, i, &t.Volume)
	case "timestamp":
		return o.timestamp.scanTimestamp(p, i, &t.UnixNanos)
	case "source":
		return o.source.scanText(p, i)
	case "ticker":
		return o.ticker.scanText(p, i)
	case "event_type":
		return o.kind.scanText(p, i)
	case "tick_open":
		return o.scanOptional(p, i, t, FieldOpen, &t.Open)
	case "tick_high":
		return o.scanOptional(p, i, t, FieldHigh, &t.High)
	case "tick_low":
		return o.scanOptional(p, i, t, FieldLow, &t.Low)
	case "tick_close":
		return o.scanOptional(p, i, t, FieldClose, &t.Close)
	case "tick_volume":
		return o.scanOptional(p, i, t, FieldVolume, &t.AggregateVolume)
	case "tick_vwap":
		return o.scanOptional(p, i, t, FieldVWAP, &t.VWAP)
	case "bid":
		return o.scanOptional(p, i, t, FieldBid, &t.Bid)
	case "ask":
		return o.scanOptional(p, i, t, FieldAsk, &t.Ask)
	}
	return skipValue(p, i, 1)
}

// scanPrice lets NaN and the infinities pass, which are not JSON but have a
// reason of their own.
func (o *object) scanPrice(p []byte, i int, t *Tick) (end int, ok bool) {
	if i < len(p) && (p[i] == 'N' || p[i] == 'I' || p[i] == '-') {
		for _, word := range [...]string{"NaN", "Infinity", "-Infinity"} {
			if startsWith(p, i, word) {
				o.notFinite = true
				return i + len(word), true
			}
		}
	}
	return o.price.scanDecimal(p, i, &t.Price)
}

func (o *object) scanOptional(p []byte, i int, t *Tick, field Fields, value *Decimal) (end int, ok bool) {
	var m member
	end, ok = m.scanDecimal(p, i, value)
	o.invalid &^= field
	t.Present &^= field
	switch {
	case m.state == isAbsent:
	case m.state == isNumber && (*value != 0 || field == FieldVolume):
		t.Present |= field
	case m.state == isNumber: // a price of zero says that there was none
	case m.state == isTooSmall && field == FieldVolume:
		t.Present |= field
	default:
		o.invalid |= field
	}
	return end, ok
}
