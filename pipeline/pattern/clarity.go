package pattern

// The clarities below run from 0 to 1 and are 0 where there is nothing to
// measure against.

// share is how much of whole the part is.
func share(part, whole float64) float64 {
	if whole <= 0 {
		return 0
	}
	return clamp(part / whole)
}

// below is how far x stays under its limit: 0 at the limit, 1 at nothing.
func below(x, limit float64) float64 {
	if limit <= 0 {
		return 0
	}
	return clamp(1 - x/limit)
}

// above is how far x exceeds its limit: 0 at the limit, 1 at full times it.
func above(x, limit, full float64) float64 {
	if x <= 0 {
		return 0
	}
	if limit <= 0 {
		return 1
	}
	return clamp((x/limit - 1) / (full - 1))
}

// clamp bounds x to 0…1; not-a-number counts as 0.
func clamp(x float64) float64 {
	switch {
	case x >= 1:
		return 1
	case x > 0:
		return x
	}
	return 0
}
