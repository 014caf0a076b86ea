package egress

import (
	"encoding/json"
	"fmt"
)

// publication is one message to Redis.
type publication struct {
	channel string
	payload []byte
}

// outbox is what a batch of results becomes. Its memory serves one batch after
// another.
type outbox struct {
	list  []publication
	bytes []byte
}

func (o *outbox) reset() { o.list, o.bytes = o.list[:0], o.bytes[:0] }

// put takes what was appended to bytes as the payload for channel.
func (o *outbox) put(channel string, appended []byte) []byte {
	begin := len(o.bytes)
	o.bytes = appended
	payload := appended[begin:len(appended):len(appended)]
	o.list = append(o.list, publication{channel, payload})
	return payload
}

// marshal puts a value as JSON.
func (o *outbox) marshal(channel string, value any) ([]byte, error) {
	payload, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return o.put(channel, append(o.bytes, payload...)), nil
}

// again puts a payload for another channel too.
func (o *outbox) again(channel string, payload []byte) {
	o.list = append(o.list, publication{channel, payload})
}
