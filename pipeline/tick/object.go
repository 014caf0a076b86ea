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
		k, at := keyUnknown, i+1
		room := len(p)-at >= keyRoom
		if room {
			var length int
			k, length = keyAt((*[keyRoom]byte)(p[at:]))
			at += length
		}
		if k == keyUnknown {
			var escaped bool
			if at, escaped, ok = scanString(p, i); !ok {
				return at, false
			}
			if escaped || !room {
				k = keyOf(p[i+1:at-1], escaped)
			}
		}
		if i = skipSpace(p, at); i >= len(p) || p[i] != ':' {
			return i, false
		}
		if i, ok = o.scanMember(k, p, skipSpace(p, i+1), t); !ok {
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

// scanMember reads the value of k at p[i:].
func (o *object) scanMember(k key, p []byte, i int, t *Tick) (end int, ok bool) {
	switch k {
	case keySymbol:
		return o.symbol.scanText(p, i)
	case keyTicker:
		return o.ticker.scanText(p, i)
	case keyPrice:
		return o.scanPrice(p, i, t)
	case keyVolume:
		return o.volume.scanDecimal(p, i, &t.Volume)
	case keyTimestamp:
		return o.timestamp.scanTimestamp(p, i, &t.UnixNanos)
	case keySource:
		return o.source.scanText(p, i)
	case keyEventType:
		return o.kind.scanText(p, i)
	case keyOpen:
		return o.scanOptional(p, i, t, FieldOpen, &t.Open)
	case keyHigh:
		return o.scanOptional(p, i, t, FieldHigh, &t.High)
	case keyLow:
		return o.scanOptional(p, i, t, FieldLow, &t.Low)
	case keyClose:
		return o.scanOptional(p, i, t, FieldClose, &t.Close)
	case keyAggregateVolume:
		return o.scanOptional(p, i, t, FieldVolume, &t.AggregateVolume)
	case keyVWAP:
		return o.scanOptional(p, i, t, FieldVWAP, &t.VWAP)
	case keyBid:
		return o.scanOptional(p, i, t, FieldBid, &t.Bid)
	case keyAsk:
		return o.scanOptional(p, i, t, FieldAsk, &t.Ask)
	default:
		return skipValue(p, i, 1)
	}
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
