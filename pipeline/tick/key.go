package tick

// key is one of the members that count.
type key uint8

const (
	keyUnknown key = iota
	keySymbol
	keyTicker
	keyPrice
	keyVolume
	keyTimestamp
	keySource
	keyEventType
	keyOpen
	keyHigh
	keyLow
	keyClose
	keyAggregateVolume
	keyVWAP
	keyBid
	keyAsk
)

// keyRoom is the longest known key with its closing quote.
const keyRoom = len(`tick_volume"`)

// keyAt tells which known key text begins with, and its length with the
// closing quote. Comparing with constants is faster than looking for the quote
// first.
func keyAt(text *[keyRoom]byte) (k key, length int) {
	switch text[0] {
	case 's':
		switch {
		case string(text[:7]) == `symbol"`:
			return keySymbol, 7
		case string(text[:7]) == `source"`:
			return keySource, 7
		}
	case 'p':
		if string(text[:6]) == `price"` {
			return keyPrice, 6
		}
	case 'v':
		if string(text[:7]) == `volume"` {
			return keyVolume, 7
		}
	case 't':
		return keyAtT(text)
	case 'e':
		if string(text[:11]) == `event_type"` {
			return keyEventType, 11
		}
	case 'b':
		if string(text[:4]) == `bid"` {
			return keyBid, 4
		}
	case 'a':
		if string(text[:4]) == `ask"` {
			return keyAsk, 4
		}
	}
	return keyUnknown, 0
}

func keyAtT(text *[keyRoom]byte) (k key, length int) {
	if string(text[:10]) == `timestamp"` {
		return keyTimestamp, 10
	}
	switch text[5] {
	case 'r':
		if string(text[:7]) == `ticker"` {
			return keyTicker, 7
		}
	case 'o':
		if string(text[:10]) == `tick_open"` {
			return keyOpen, 10
		}
	case 'h':
		if string(text[:10]) == `tick_high"` {
			return keyHigh, 10
		}
	case 'l':
		if string(text[:9]) == `tick_low"` {
			return keyLow, 9
		}
	case 'c':
		if string(text[:11]) == `tick_close"` {
			return keyClose, 11
		}
	case 'v':
		switch {
		case string(text[:10]) == `tick_vwap"`:
			return keyVWAP, 10
		case string(text[:12]) == `tick_volume"`:
			return keyAggregateVolume, 12
		}
	}
	return keyUnknown, 0
}

func startsWith(p []byte, i int, text string) bool {
	return len(p)-i >= len(text) && string(p[i:i+len(text)]) == text
}

// keyOf is the key whose raw text, between its quotes, is text: for one that
// has escapes or stands too near the end for keyAt.
func keyOf(text []byte, escaped bool) key {
	const longest = 6 * (keyRoom - 1) // each byte an escape
	if len(text) > longest {
		return keyUnknown
	}
	var buf [longest + keyRoom]byte
	plain := buf[:0]
	if escaped {
		plain = unescape(plain, text)
	} else {
		plain = append(plain, text...)
	}
	plain = append(plain, '"')
	k, length := keyAt((*[keyRoom]byte)(buf[:]))
	if length < len(plain) { // a quote within the key
		return keyUnknown
	}
	return k
}
