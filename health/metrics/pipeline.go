package metrics

import (
	"strconv"
	"time"

	"github.com/tickstock/tickstream/pipeline/presence"
)

var (
	pipelinePartitions  = gauge("pipeline_owned_partitions", "Partitions of TICKS that this worker owns.")
	pipelineSymbols     = gauge("pipeline_symbols", "Symbols in the partitions that this worker owns.")
	pipelineWatermark   = gauge("pipeline_watermark_timestamp_seconds", "Event time up to which bars are closed, by partition that this worker owns.", "partition")
	pipelineConsumed    = counter("pipeline_messages_consumed", "Messages of TICKS that this worker took in.")
	pipelineBars        = counter("pipeline_bars_stored", "Bars stored, corrections included.")
	pipelineCorrections = counter("pipeline_bar_corrections", "Corrections of bars that were closed.")
	pipelineSignals     = counter("pipeline_signals_stored", "Indicators, patterns and alerts stored.")
	pipelineRejects     = counter("pipeline_rejects", "Ticks that the pipeline refused, such as those too late for their bar.")
	pipelineFaults      = counter("pipeline_publish_failures", "Batches of results that had to be tried again.")
)

// sendPipeline exports a worker's report, if there is one.
func sendPipeline(s sink, p *presence.Pipeline) {
	if p == nil {
		return
	}
	symbols := 0
	for _, partition := range p.Partitions {
		symbols += partition.Symbols
		if !partition.Watermark.IsZero() {
			pipelineWatermark.send(s, unix(partition.Watermark), strconv.Itoa(partition.Number))
		}
	}
	pipelinePartitions.send(s, float64(len(p.Partitions)))
	pipelineSymbols.send(s, float64(symbols))
	pipelineConsumed.send(s, float64(p.Consumed))
	pipelineBars.send(s, float64(p.Bars))
	pipelineCorrections.send(s, float64(p.Corrections))
	pipelineSignals.send(s, float64(p.Signals))
	pipelineRejects.send(s, float64(p.Rejected))
	pipelineFaults.send(s, float64(p.PublishFailures))
}

var (
	storeActive  = gauge("store_active", "Whether this process writes to PostgreSQL.")
	storeFailing = gauge("store_failing", "Whether a table cannot be written now.")
	storeCommit  = gauge("store_last_commit_timestamp_seconds", "When rows were last stored.")
	storeRows    = counter("store_rows_stored", "Rows stored, by table.", "table")
	storeRefused = counter("store_rows_refused", "Events that PostgreSQL refused, by table.", "table")
	storeSkipped = gauge("store_table_skipped", "Tables that do not fit, so that nothing is stored in them.", "table")
)

// sendStore exports a store's report, if there is one.
func sendStore(s sink, r *presence.Store) {
	if r == nil {
		return
	}
	storeActive.send(s, flag(r.Active))
	storeFailing.send(s, flag(r.Error != ""))
	if !r.StoredAt.IsZero() {
		storeCommit.send(s, unix(r.StoredAt))
	}
	sendEach(s, storeRows, r.Rows)
	sendEach(s, storeRefused, r.Refused)
	for table := range r.Skipped {
		storeSkipped.send(s, 1, table)
	}
}

// unix is a time as Prometheus tells it.
func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
