package stream

import (
	"errors"
	"fmt"
	"strings"
)

// ErrOwned is returned by [CheckForeign] for a subject that is tickstream's.
var ErrOwned = errors.New("subject is tickstream's own")

// CheckForeign returns nil for a subject that no stream of tickstream would
// store and that commands nothing, and else [ErrOwned] with the stream's name.
// A token may be the wildcard * where it is not known yet: the subject is
// tickstream's if any token in that place makes it so.
func CheckForeign(subject string) error {
	for _, definition := range (Config{}).withDefaults().definitions(DefaultPartitions) {
		for _, own := range definition.Subjects {
			if overlap(subject, own) {
				return fmt.Errorf("stream %s stores %s: %w", definition.Name, own, ErrOwned)
			}
		}
	}
	if overlap(subject, controls) {
		return fmt.Errorf("%s are requests to tickstream: %w", controls, ErrOwned)
	}
	return nil
}

// overlap is whether some subject matches both patterns, of which each may hold
// the wildcard *.
func overlap(a, b string) bool {
	left, right := strings.Split(a, "."), strings.Split(b, ".")
	if len(left) != len(right) {
		return false
	}
	for i := range left {
		if left[i] != right[i] && left[i] != "*" && right[i] != "*" {
			return false
		}
	}
	return true
}
