package pattern

// doji is a body of at most a tenth of the usual range. Confidence: 0.6 how
// much smaller the body is, 0.4 how much of a usual bar's range this one has,
// so that a bar without any trading range is no clear doji.
func (v *view) doji() (int, float64) {
	b, tiny := &v.bars[0], v.tiny(range0, 0)
	if !(b.body <= tiny) {
		return 0, 0
	}
	return 100, 0.6*below(b.body, tiny) + 0.4*share(b.high-b.low, v.means[0][range0])
}

// dragonflyDoji is a doji with a lower shadow and hardly an upper one.
// Confidence: 0.3 small body, 0.3 no upper shadow, 0.4 lower shadow, full at a
// usual bar's range.
func (v *view) dragonflyDoji() (int, float64) {
	b, tiny := &v.bars[0], v.tiny(range0, 0)
	if !(b.body <= tiny && b.upper < tiny && b.lower > tiny) {
		return 0, 0
	}
	return 100, 0.3*below(b.body, tiny) + 0.3*below(b.upper, tiny) + 0.4*above(b.lower, tiny, 10)
}

// gravestoneDoji is the dragonfly upside down, weighed the same.
func (v *view) gravestoneDoji() (int, float64) {
	b, tiny := &v.bars[0], v.tiny(range0, 0)
	if !(b.body <= tiny && b.lower < tiny && b.upper > tiny) {
		return 0, 0
	}
	return 100, 0.3*below(b.body, tiny) + 0.3*below(b.lower, tiny) + 0.4*above(b.upper, tiny, 10)
}

// marubozu is a long body with hardly a shadow. Confidence: 0.5 length of the
// body, full at three times the usual, 0.25 for each shadow's absence.
func (v *view) marubozu() (int, float64) {
	b, long, tiny := &v.bars[0], v.long(body0, 0), v.tiny(range0, 0)
	if !(b.body > long && b.upper < tiny && b.lower < tiny) {
		return 0, 0
	}
	return b.color * 100, 0.5*above(b.body, long, 3) + 0.25*below(b.upper, tiny) + 0.25*below(b.lower, tiny)
}

// spinningTop is a short body between two longer shadows; the score's sign is
// the bar's colour. Confidence: 0.4 the shorter shadow against the body, full
// at three times it, 0.3 how alike the shadows are, 0.3 small body.
func (v *view) spinningTop() (int, float64) {
	b, long := &v.bars[0], v.long(body0, 0)
	if !(b.body < long && b.upper > b.body && b.lower > b.body) {
		return 0, 0
	}
	less, more := min(b.upper, b.lower), max(b.upper, b.lower)
	return b.color * 100, 0.4*above(less, b.body, 3) + 0.3*share(less, more) + 0.3*below(b.body, long)
}

// hammer is a short body at or under the prior low, on a lower shadow longer
// than itself. Confidence: see pin; the place is full at the prior low.
func (v *view) hammer() (int, float64) {
	b := &v.bars[0]
	near := v.near(near5, 1)
	edge := v.bars[1].low + near
	if !v.pinDown() || !(b.bottom <= edge) {
		return 0, 0
	}
	return 100, v.pin(b.lower, b.upper, share(edge-b.bottom, near))
}

// hangingMan is a hammer's bar at or over the prior high, weighed the same.
func (v *view) hangingMan() (int, float64) {
	b := &v.bars[0]
	near := v.near(near5, 1)
	edge := v.bars[1].high - near
	if !v.pinDown() || !(b.bottom >= edge) {
		return 0, 0
	}
	return -100, v.pin(b.lower, b.upper, share(b.bottom-edge, near))
}

// invertedHammer is a short body that gaps down from the prior one, under an
// upper shadow longer than itself. Confidence: see pin; the place is full when
// the gap is a fifth of the usual range.
func (v *view) invertedHammer() (int, float64) {
	b, prior := &v.bars[0], &v.bars[1]
	if !v.pinUp() || !gapDown(b, prior) {
		return 0, 0
	}
	return 100, v.pin(b.upper, b.lower, share(prior.bottom-b.top, v.near(range1, 0)))
}

// shootingStar is an inverted hammer's bar that gaps up, weighed the same.
func (v *view) shootingStar() (int, float64) {
	b, prior := &v.bars[0], &v.bars[1]
	if !v.pinUp() || !gapUp(b, prior) {
		return 0, 0
	}
	return -100, v.pin(b.upper, b.lower, share(b.bottom-prior.top, v.near(range1, 0)))
}

// pinDown and pinUp are the bar that the four above share.
func (v *view) pinDown() bool {
	b := &v.bars[0]
	return b.body < v.long(body1, 0) && b.lower > b.body && b.upper < v.tiny(range1, 0)
}

func (v *view) pinUp() bool {
	b := &v.bars[0]
	return b.body < v.long(body1, 0) && b.upper > b.body && b.lower < v.tiny(range1, 0)
}

// pin weighs them: 0.3 the long shadow against the body, full at three times
// it, 0.25 the other one's absence, 0.25 the long shadow against a usual bar's
// range, 0.2 the place beside the prior bar.
func (v *view) pin(long, other, place float64) float64 {
	return 0.3*above(long, v.bars[0].body, 3) +
		0.25*below(other, v.tiny(range1, 0)) +
		0.25*share(long, v.means[0][range1]) +
		0.2*place
}
