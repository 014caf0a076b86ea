package stream

import "strings"

// ControlPrefix begins the request/reply subjects, which are outside every
// stream: tickstock.control.<service>.<endpoint>.
const ControlPrefix = "tickstock.control."

// controls filters every request.
const controls = ControlPrefix + "*.*"

// Requests that start and stop the session. [ControlSubject] makes the others.
const (
	ControlSessionStart = ControlPrefix + "session.start"
	ControlSessionStop  = ControlPrefix + "session.stop"
)

// ControlSubject is where requests to an endpoint of a service go.
func ControlSubject(service, endpoint string) string {
	return ControlPrefix + strings.ToLower(service) + "." + strings.ToLower(endpoint)
}
