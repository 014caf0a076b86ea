package bridge

import (
	"errors"
	"fmt"
)

// Ready tells why this bridge can neither store ticks nor take over from one
// that does: nil where its source is read and TICKS is there. One on standby at
// a Redis stream reads nothing until it is its turn.
func (i *Ingress) Ready() error {
	if !i.prepared.Load() {
		return errors.New("the stream TICKS is not there yet, or JetStream has not answered yet")
	}
	if standing, _, _ := i.turn.now(); standing == standby && i.cfg.Source == Stream {
		return nil
	}
	if !i.source.state().subscribed {
		return fmt.Errorf("%s is not subscribed to", i.cfg.Channel)
	}
	return nil
}
