package session

import "fmt"

// Mode says what starts and stops sessions.
type Mode string

const (
	// ModeMarket starts a session when the market opens and completes it when
	// the market closes.
	ModeMarket Mode = "market"
	// ModeAlways has a session at all times: at New York midnight the one is
	// completed and the next one starts.
	ModeAlways Mode = "always"
	// ModeManual starts and stops sessions on request only.
	ModeManual Mode = "manual"
)

// ParseMode reads a mode's name.
func ParseMode(name string) (Mode, error) {
	switch mode := Mode(name); mode {
	case ModeMarket, ModeAlways, ModeManual:
		return mode, nil
	}
	return "", fmt.Errorf("session mode %q is unknown: give %s, %s or %s", name, ModeMarket, ModeAlways, ModeManual)
}
