package pattern

import "math"

// The bounds of Head and Shoulders. Heights are above the neckline, in parts
// of the head's.
const (
	lowestShoulder  = 0.1  // a shoulder is at least this high
	highestShoulder = 0.9  // and at most this, so that the head stands out
	shoulderSkew    = 0.25 // the shoulders' prices differ by at most this
	necklineSkew    = 0.25 // and the troughs' too
	longestHalf     = 3    // times the shorter: bars from shoulder to head, and from head to shoulder
	longestShape    = 120  // bars from shoulder to shoulder
)

// Pivot is a turning point of a shape.
type Pivot struct {
	Start int64   // Unix seconds at which its bar begins
	Price float64 // the bar's high, or its low for a trough
}

// HeadAndShoulders tells where the shape stands. The rule, for a top (the
// inverse is the same with prices upside down):
//
//   - A pivot high is a bar whose high is above those of the 3 bars before it
//     and not below those of the 3 after ([PivotWidth]); it is known 3 bars
//     later. Pivot lows likewise. A bar that is both is neither. Pivots
//     alternate: of highs in a row the highest counts.
//   - The shape is five pivots in a row: shoulder, trough, head, trough,
//     shoulder. The neckline is the straight line through the troughs, heights
//     are above it, and "the head's height" is H. Each shoulder is 0.1 H to
//     0.9 H high, the shoulders' prices differ by at most 0.25 H, the troughs'
//     too, the longer half has at most three times the bars of the shorter,
//     and there are at most 120 bars from shoulder to shoulder.
//   - It is confirmed, and reported once, by the first bar from the right
//     shoulder's confirmation as a pivot on that closes below the neckline. It
//     is dropped if a bar closes above the right shoulder first, if no bar
//     confirms it within as many bars after the right shoulder as lie between
//     the shoulders, or if a newer shape takes its place. A head is reported
//     once.
type HeadAndShoulders struct {
	LeftShoulder, LeftTrough, Head, RightTrough, RightShoulder Pivot

	Neckline float64 // the neckline's price at the confirming bar
}

// contour is a shape that awaits its break.
type contour struct {
	active     bool
	brokenHead int64 // number of the last reported head's bar; 0 is none, as no pivot can be there
	pivots     [5]pivot
}

// neckline returns the price of the line through the troughs at bar i.
func neckline(p *[5]pivot, i int64) float64 {
	left, right := &p[1], &p[3]
	run := float64(i-left.bar) / float64(right.bar-left.bar)
	return left.price + float64((right.price-left.price)*run)
}

// heights returns those of the left shoulder, the head and the right shoulder;
// sign is −1 for the inverse.
func heights(p *[5]pivot, sign float64) (left, head, right float64) {
	above := func(q *pivot) float64 { return sign * (q.price - neckline(p, q.bar)) }
	return above(&p[0]), above(&p[2]), above(&p[4])
}

// isHeadAndShoulders judges five alternating pivots, the last one a shoulder.
func isHeadAndShoulders(p *[5]pivot, sign float64) bool {
	left, head, right := heights(p, sign)
	before, after := p[2].bar-p[0].bar, p[4].bar-p[2].bar
	return head > 0 &&
		min(left, right) >= lowestShoulder*head &&
		max(left, right) <= highestShoulder*head &&
		math.Abs(p[0].price-p[4].price) <= shoulderSkew*head &&
		math.Abs(p[1].price-p[3].price) <= necklineSkew*head &&
		max(before, after) <= longestHalf*min(before, after) &&
		p[4].bar-p[0].bar <= longestShape
}

// confirm judges the close of bar i, and returns the match if it breaks the
// neckline; usual is the mean range of the bars before.
func (c *contour) confirm(i int64, closing, usual, sign float64) (m Match) {
	if !c.active {
		return m
	}
	p := &c.pivots
	line := neckline(p, i)
	switch {
	case i-p[4].bar > p[4].bar-p[0].bar, sign*closing > sign*p[4].price:
		c.active = false
	case sign*closing < sign*line:
		c.active, c.brokenHead = false, p[2].bar
		m.Score = int(-100 * sign)
		m.Bars = int(i-p[0].bar) + 1
		m.Confidence = clamp(c.confidence(sign, sign*(line-closing), usual))
		m.Shape = HeadAndShoulders{
			LeftShoulder: p[0].public(), LeftTrough: p[1].public(), Head: p[2].public(),
			RightTrough: p[3].public(), RightShoulder: p[4].public(), Neckline: line,
		}
	}
	return m
}

// confidence weighs: 0.25 how alike the shoulders are, 0.2 how level the
// neckline is, 0.2 how far the head stands out, full at twice the higher
// shoulder, 0.15 how alike the halves are in time, 0.2 how far the close is
// past the neckline, full at the usual range of a bar.
func (c *contour) confidence(sign, past, usual float64) float64 {
	p := &c.pivots
	left, head, right := heights(p, sign)
	before, after := float64(p[2].bar-p[0].bar), float64(p[4].bar-p[2].bar)
	halves := min(before, after) / max(before, after)
	const unlike = 1.0 / longestHalf
	return 0.25*below(math.Abs(p[0].price-p[4].price), shoulderSkew*head) +
		0.2*below(math.Abs(p[1].price-p[3].price), necklineSkew*head) +
		0.2*share(highestShoulder-max(left, right)/head, highestShoulder-0.5) +
		0.15*share(halves-unlike, 1-unlike) +
		0.2*share(past, usual)
}

func (p *pivot) public() Pivot { return Pivot{Start: p.start, Price: p.price} }
