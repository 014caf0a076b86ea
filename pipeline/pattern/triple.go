package pattern

// starPenetration is how deep into the first body a star's third bar closes.
const starPenetration = 0.3

// morningStar is a long black body, a short one that gaps down from it, and a
// white one, not short, that closes well into the first. Confidence: see star.
func (v *view) morningStar() (int, float64) {
	third, middle, first := &v.bars[0], &v.bars[1], &v.bars[2]
	edge := first.close + float64(first.body*starPenetration)
	if !(v.starBodies() && first.color == black && third.color == white &&
		gapDown(middle, first) && third.close > edge) {
		return 0, 0
	}
	return 100, v.star(third.close-edge, first.bottom-middle.top)
}

// eveningStar is the morning star upside down, weighed the same.
func (v *view) eveningStar() (int, float64) {
	third, middle, first := &v.bars[0], &v.bars[1], &v.bars[2]
	edge := first.close - float64(first.body*starPenetration)
	if !(v.starBodies() && first.color == white && third.color == black &&
		gapUp(middle, first) && third.close < edge) {
		return 0, 0
	}
	return -100, v.star(edge-third.close, middle.bottom-first.top)
}

// starBodies is the long, the short and the not short body of both stars.
func (v *view) starBodies() bool {
	return v.bars[2].body > v.long(body0, 2) &&
		v.bars[1].body <= v.long(body1, 1) &&
		v.bars[0].body > v.long(body2, 0)
}

// star weighs them: 0.3 how far past the edge the third closes, full at the
// far end of the first body, 0.2 the gap, full at a fifth of the usual range,
// 0.2 how short the star is, 0.15 each for how long the first and third are,
// full at twice the usual.
func (v *view) star(past, gap float64) float64 {
	third, middle, first := &v.bars[0], &v.bars[1], &v.bars[2]
	return 0.3*share(past, (1-starPenetration)*first.body) +
		0.2*share(gap, v.near(range1, 1)) +
		0.2*below(middle.body, v.long(body1, 1)) +
		0.15*above(first.body, v.long(body0, 2), 2) +
		0.15*above(third.body, v.long(body2, 0), 2)
}

// threeWhiteSoldiers is three white bodies with hardly an upper shadow, each
// closing higher, each opening within or near the body before it, none far
// shorter than the one before, the last not short. Confidence: see march.
func (v *view) threeWhiteSoldiers() (int, float64) {
	third, second, first := &v.bars[0], &v.bars[1], &v.bars[2]
	if first.color != white || second.color != white || third.color != white {
		return 0, 0
	}
	if !(first.upper < v.tiny(range0, 2) && second.upper < v.tiny(range1, 1) && third.upper < v.tiny(range2, 0)) {
		return 0, 0
	}
	if !(third.close > second.close && second.close > first.close) {
		return 0, 0
	}
	if !(second.open > first.open && second.open <= first.close+v.near(near5, 2) &&
		third.open > second.open && third.open <= second.close+v.near(near6, 1)) {
		return 0, 0
	}
	if !(second.body > first.body-v.far(near5, 2) && third.body > second.body-v.far(near6, 1) &&
		third.body > v.long(body2, 0)) {
		return 0, 0
	}
	return 100, v.march(
		below(first.upper, v.tiny(range0, 2)) +
			below(second.upper, v.tiny(range1, 1)) +
			below(third.upper, v.tiny(range2, 0)))
}

// threeBlackCrows is, after a white bar, three black bodies with hardly a
// lower shadow, each closing lower, each opening within the body before it,
// the first closing under the white bar's high. Confidence: see march.
func (v *view) threeBlackCrows() (int, float64) {
	third, second, first, prior := &v.bars[0], &v.bars[1], &v.bars[2], &v.bars[3]
	if prior.color != white || first.color != black || second.color != black || third.color != black {
		return 0, 0
	}
	if !(first.lower < v.tiny(range1, 2) && second.lower < v.tiny(range2, 1) && third.lower < v.tiny(range3, 0)) {
		return 0, 0
	}
	if !(second.open < first.open && second.open > first.close &&
		third.open < second.open && third.open > second.close) {
		return 0, 0
	}
	if !(prior.high > first.close && first.close > second.close && second.close > third.close) {
		return 0, 0
	}
	return -100, v.march(
		below(first.lower, v.tiny(range1, 2)) +
			below(second.lower, v.tiny(range2, 1)) +
			below(third.lower, v.tiny(range3, 0)))
}

// march weighs them: 0.4 the mean absence of the three shadows, 0.3 the
// shortest body against what was usual before the three, full at twice it, 0.3
// the shortest against the longest.
func (v *view) march(shadows float64) float64 {
	a, b, c := v.bars[0].body, v.bars[1].body, v.bars[2].body
	shortest := min(a, b, c)
	return 0.4*clamp(shadows/3) +
		0.3*share(shortest, 2*v.long(body0, 2)) +
		0.3*share(shortest, max(a, b, c))
}
