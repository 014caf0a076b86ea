package event

// Status is the one-word health of the system.
type Status string

// The statuses of AppV2's newest contract.
const (
	StatusStarting Status = "starting"
	StatusHealthy  Status = "healthy"
	StatusDegraded Status = "degraded"
	StatusError    Status = "error"
	StatusStopping Status = "stopping"
)

// Health is the health of the system as measured at Timestamp. Fields that
// repeat one another serve different generations of AppV2.
type Health struct {
	SessionID            string        `json:"session_id"`
	Status               Status        `json:"status"`
	ActiveSymbols        int           `json:"active_symbols"`   // universe symbols with a tick in the window
	TicksPerSecond       float64       `json:"ticks_per_second"` // stored in TICKS, over the window
	PatternsDetected     int64         `json:"patterns_detected"`
	IndicatorsCalculated int64         `json:"indicators_calculated"`
	ErrorsCount          int64         `json:"errors_count"`
	UptimeSeconds        int64         `json:"uptime_seconds"`
	MemoryUsageMB        float64       `json:"memory_usage_mb"`
	CPUPercent           float64       `json:"cpu_percent"`
	ConnectionStatus     string        `json:"connection_status"` // connected, reconnecting, disconnected
	Connection           Connection    `json:"connection"`
	DataFlow             DataFlow      `json:"data_flow"`
	ResourceUsage        ResourceUsage `json:"resource_usage"`
	Resources            Resources     `json:"resources"`
	StaleSymbols         StaleSymbols  `json:"stale_symbols"`
	Issues               []string      `json:"issues"` // sentences, never null
	Timestamp            Time          `json:"timestamp"`
}

// Connection counts the subscriptions to the source of ticks.
type Connection struct {
	Active        int   `json:"active"`
	Failed        int64 `json:"failed"`
	Reconnections int64 `json:"reconnections"`
}

// DataFlow is what moves.
type DataFlow struct {
	TicksPerSecond  float64 `json:"ticks_per_second"`
	BarsPerMinute   float64 `json:"bars_per_minute"`
	ProcessingLagMs float64 `json:"processing_lag_ms"`
}

// ResourceUsage is the older generation's view of [Resources].
type ResourceUsage struct {
	CPUPercent    float64 `json:"cpu_percent"`
	MemoryMB      float64 `json:"memory_mb"`
	ThreadsActive int     `json:"threads_active"`
}

// Resources is what tickstream's processes use together; a fully used core is
// 100 percent.
type Resources struct {
	CPUPercent    float64 `json:"cpu_percent"`
	MemoryMB      float64 `json:"memory_mb"` // resident, in MiB
	MemoryPercent float64 `json:"memory_percent"`
}

// StaleSymbols are the universe symbols without a tick in the window.
type StaleSymbols struct {
	Count   int      `json:"count"`
	Symbols []string `json:"symbols"` // the first 20, never null
}

// StreamingHealth is the health event; the fields beside Health are flat
// copies for the older generation of AppV2.
type StreamingHealth struct {
	Type          string   `json:"type"`
	Health        Health   `json:"health"`
	Event         string   `json:"event"`
	SessionID     string   `json:"session_id"`
	Status        Status   `json:"status"`
	ActiveSymbols int      `json:"active_symbols"`
	Issues        []string `json:"issues"`
	Timestamp     Time     `json:"timestamp"`
	Source        string   `json:"source"`
}

// NewStreamingHealth wraps a health for both generations of AppV2.
func NewStreamingHealth(health Health) StreamingHealth {
	if health.Issues == nil {
		health.Issues = []string{}
	}
	if health.StaleSymbols.Symbols == nil {
		health.StaleSymbols.Symbols = []string{}
	}
	return StreamingHealth{
		Type: "streaming_health", Event: "streaming_health",
		Health: health, SessionID: health.SessionID, Status: health.Status,
		ActiveSymbols: health.ActiveSymbols, Issues: health.Issues,
		Timestamp: health.Timestamp, Source: Source,
	}
}
