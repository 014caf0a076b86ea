package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/time/rate"
)

// The variables that OpenTelemetry gives to all programs; its own library reads
// the others of them.
const (
	otlpEndpoint       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	otlpTracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	otlpProtocol       = "OTEL_EXPORTER_OTLP_PROTOCOL"
	otlpTracesProtocol = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
)

// traceFlush is how long a process that ends waits for its spans to be taken.
const traceFlush = time.Second

// tracingWanted tells whether the environment says where traces go, and refuses
// what they cannot go by.
func tracingWanted() (bool, error) {
	wanted := false
	for _, name := range []string{otlpEndpoint, otlpTracesEndpoint} {
		endpoint := os.Getenv(name)
		if endpoint == "" {
			continue
		}
		switch u, err := url.Parse(endpoint); {
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
			return false, usageErrorf("%s is not the URL of a collector: give one such as http://127.0.0.1:4318", name)
		case u.User != nil:
			return false, usageErrorf("%s holds a password, which logs would show: give it in OTEL_EXPORTER_OTLP_HEADERS", name)
		}
		wanted = true
	}
	if !wanted || os.Getenv("OTEL_SDK_DISABLED") == "true" || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false, nil
	}
	for _, name := range []string{otlpProtocol, otlpTracesProtocol} {
		switch protocol := os.Getenv(name); protocol {
		case "", "http/protobuf", "http/json":
		default:
			return false, usageErrorf("%s cannot be %q: give http/protobuf or http/json, and the port for these, mostly 4318", name, protocol)
		}
	}
	return true, nil
}

// startTracing returns a tracer where the environment says where traces go, else
// nil, and what ends it.
func startTracing(ctx context.Context, name, instance string, log *slog.Logger) (trace.Tracer, func(), error) {
	if wanted, err := tracingWanted(); err != nil || !wanted {
		return nil, func() {}, err
	}
	otel.SetLogger(logr.FromSlogHandler(log.Handler()))
	seldom := rate.Sometimes{Interval: time.Minute}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		seldom.Do(func() { log.Warn("traces not taken", "err", err) })
	}))
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("make the exporter of traces: %w", err)
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(), resource.WithAttributes(
		attribute.String("service.name", "tickstream-"+name), attribute.String("service.version", currentBuild().Version),
		attribute.String("service.instance.id", instance)), resource.WithFromEnv())
	if err != nil {
		return nil, nil, fmt.Errorf("describe this process to the collector of traces: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return provider.Tracer("github.com/tickstock/tickstream"), func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), traceFlush)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			log.Debug("the last traces were not taken", "err", err)
		}
	}, nil
}
