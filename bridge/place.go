package bridge

import (
	"encoding/json"
	"time"
)

// place is a message in a stream.
type place struct {
	created time.Time // of the stream
	seq     uint64
	id      string // of the message; empty where it is not known
}

type encodedPlace struct {
	Created time.Time `json:"created"`
	Seq     uint64    `json:"seq"`
	ID      string    `json:"id,omitempty"`
}

func (p place) encode() []byte {
	// Of a time, a number and a text.
	data, _ := json.Marshal(encodedPlace{p.created, p.seq, p.id})
	return data
}

// decodePlace is the zero place for what is none.
func decodePlace(data []byte) place {
	var e encodedPlace
	if json.Unmarshal(data, &e) != nil {
		return place{}
	}
	return place{created: e.Created, seq: e.Seq, id: e.ID}
}
