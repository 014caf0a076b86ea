package pattern

// engulfing is a body of the given colour that covers the prior one of the
// other colour; the score is 80 where one end of the two is equal. Confidence:
// 0.35 how much longer it is, full at twice the prior body, 0.35 how far it
// reaches over the nearer end, full at a quarter of the prior body, 0.3 its
// length, full at one and a half usual bodies (of the bars there are, in the
// first ten).
func (v *view) engulfing(color int) (int, float64) {
	b, prior := &v.bars[0], &v.bars[1]
	if b.color != color || prior.color != -color {
		return 0, 0
	}
	if !(b.top >= prior.top && b.bottom < prior.bottom) && !(b.top > prior.top && b.bottom <= prior.bottom) {
		return 0, 0
	}
	score := 80
	if b.open != prior.close && b.close != prior.open {
		score = 100
	}
	reach := min(b.top-prior.top, prior.bottom-b.bottom)
	return color * score, 0.35*above(b.body, prior.body, 2) +
		0.35*share(reach, 0.25*prior.body) +
		0.3*share(b.body, 1.5*v.long(body0, 0))
}

// harami is a short body within the long prior one, whose colour is opposite
// to the side that the pattern speaks for; the score is 80 where one end of
// the two is equal. Confidence: 0.35 how long the first is, full at twice the
// usual, 0.35 how small the second is beside it, 0.3 its distance from the
// nearer end, full at a quarter of the first.
func (v *view) harami(side int) (int, float64) {
	b, prior := &v.bars[0], &v.bars[1]
	long := v.long(body0, 1)
	if prior.color != -side || !(prior.body > long && b.body <= v.long(body1, 0)) {
		return 0, 0
	}
	if !(b.top <= prior.top && b.bottom >= prior.bottom) {
		return 0, 0
	}
	score := 80
	if b.top < prior.top && b.bottom > prior.bottom {
		score = 100
	}
	room := min(prior.top-b.top, b.bottom-prior.bottom)
	return side * score, 0.35*above(prior.body, long, 2) +
		0.35*below(b.body, prior.body) +
		0.3*share(room, 0.25*prior.body)
}

// piercingLine is a long white body that opens under the low of a long black
// one and closes in its upper half. Confidence: see thrust.
func (v *view) piercingLine() (int, float64) {
	b, prior := &v.bars[0], &v.bars[1]
	middle := prior.close + float64(prior.body*0.5)
	if !(prior.color == black && prior.body > v.long(body0, 1) &&
		b.color == white && b.body > v.long(body1, 0) &&
		b.open < prior.low && b.close < prior.open && b.close > middle) {
		return 0, 0
	}
	return 100, v.thrust(b.close-middle, prior.low-b.open)
}

// darkCloudCover is a black body that opens over the high of a long white one
// and closes in its lower half (penetration 0.5). Confidence: see thrust.
func (v *view) darkCloudCover() (int, float64) {
	b, prior := &v.bars[0], &v.bars[1]
	middle := prior.close - float64(prior.body*0.5)
	if !(prior.color == white && prior.body > v.long(body0, 1) &&
		b.color == black &&
		b.open > prior.high && b.close > prior.open && b.close < middle) {
		return 0, 0
	}
	return -100, v.thrust(middle-b.close, b.open-prior.high)
}

// thrust weighs them: 0.4 how far past the middle it closes, full at the far
// end of the prior body, 0.2 each for how long the prior body and this one
// are, full at twice the usual, 0.2 the gap at the open, full at a fifth of
// the usual range.
func (v *view) thrust(past, gap float64) float64 {
	b, prior := &v.bars[0], &v.bars[1]
	return 0.4*share(past, 0.5*prior.body) +
		0.2*above(prior.body, v.long(body0, 1), 2) +
		0.2*above(b.body, v.long(body1, 0), 2) +
		0.2*share(gap, v.near(range1, 0))
}
