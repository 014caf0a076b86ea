package event

// Headers of a message in the REJECTS stream, whose payload is the refused
// bytes themselves.
const (
	HeaderRejectReason     = "Tickstream-Reason"        // a word, the subject's last token
	HeaderRejectDetail     = "Tickstream-Detail"        // a sentence
	HeaderRejectSource     = "Tickstream-Source"        // where it came from: a Redis channel or stream
	HeaderRejectReceivedAt = "Tickstream-Received-At"   // ISO 8601
	HeaderRejectSize       = "Tickstream-Original-Size" // bytes, where the payload was cut
)
