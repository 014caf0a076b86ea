package trial

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/ceiling"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/rig"
	"github.com/tickstock/tickstream/pipeline/stream"
)

func natsVersion() string { return server.VERSION }

// store is a NATS that holds nothing but tickstream's empty streams.
type store struct {
	lab        *Lab
	url        string
	process    *rig.Process // nil where it is not ours
	folder     string
	nc         *nats.Conn
	js         jetstream.JetStream
	partitions int
}

// ours are the streams that the benchmarks make and delete.
var ours = []string{
	stream.Ticks, stream.Bars, stream.Signals, stream.Health, stream.Rejects, ceiling.NaiveStream,
	"KV_" + stream.HealthBucket, "KV_" + stream.ComponentsBucket, "KV_" + stream.LeasesBucket, "KV_" + stream.CheckpointsBucket,
}

// fresh gives an empty store; one that calls fsync before each acknowledgement
// is always a server of our own.
func (l *Lab) fresh(ctx context.Context, syncAlways bool) (*store, error) {
	l.stores++
	s := &store{lab: l, url: l.cfg.NATSURL}
	if err := s.open(ctx, syncAlways); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *store) open(ctx context.Context, syncAlways bool) error {
	own := s.url == "" || syncAlways
	if own {
		if err := s.serve(syncAlways); err != nil {
			return err
		}
	}
	err := s.lab.await(ctx, startTimeout, "NATS at "+s.url+" answers", func(context.Context) bool {
		nc, err := nats.Connect(s.url, nats.Name("tickstream-bench"), nats.MaxReconnects(-1))
		s.nc = nc
		return err == nil
	})
	if err != nil {
		return err
	}
	if s.js, err = jetstream.New(s.nc); err != nil {
		return fmt.Errorf("open JetStream: %w", err)
	}
	if !own {
		if err := s.refuseOthers(ctx); err != nil {
			return err
		}
	}
	layout, err := stream.Await(ctx, s.js, stream.Config{}, quiet)
	if err != nil {
		return fmt.Errorf("make the streams: %w", err)
	}
	s.partitions = layout.Partitions
	return nil
}

// serve starts a server with an empty folder.
func (s *store) serve(syncAlways bool) error {
	address, err := rig.FreeAddress()
	if err != nil {
		return err //nolint:wrapcheck // it says what failed
	}
	_, port, _ := strings.Cut(address, ":")
	s.url = "nats://" + address
	s.folder = filepath.Join(s.lab.cfg.Dir, fmt.Sprintf("nats-%d", s.lab.stores))
	args := []string{"bench", "nats", "--port", port, "--store", s.folder}
	if syncAlways {
		args = append(args, "--sync-always")
	}
	s.process, err = s.lab.start("nats", s.lab.cfg.Binary, nil, args...)
	return err
}

// refuseOthers keeps from deleting what somebody needs.
func (s *store) refuseOthers(ctx context.Context) error {
	names := s.js.StreamNames(ctx)
	for name := range names.Name() {
		if slices.Contains(ours, name) {
			s.nc.Close()
			s.nc = nil // so that close deletes nothing
			return fmt.Errorf("NATS at %s has the stream %s: give one without tickstream's streams, for a benchmark makes and deletes its own, or none for a server of its own", s.url, name)
		}
	}
	if err := names.Err(); err != nil {
		return fmt.Errorf("list the streams of NATS at %s: %w", s.url, err)
	}
	return nil
}

// clear deletes all that is made of TICKS, and leaves TICKS.
func (s *store) clear(ctx context.Context) error {
	for _, name := range ours {
		if name == stream.Ticks {
			continue
		}
		if err := s.js.DeleteStream(ctx, name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return fmt.Errorf("delete stream %s: %w", name, err)
		}
	}
	ticks, err := s.js.Stream(ctx, stream.Ticks)
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", stream.Ticks, err)
	}
	names := ticks.ConsumerNames(ctx)
	for name := range names.Name() {
		if err := s.js.DeleteConsumer(ctx, stream.Ticks, name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return fmt.Errorf("delete consumer %s: %w", name, err)
		}
	}
	if err := names.Err(); err != nil {
		return fmt.Errorf("list the consumers of %s: %w", stream.Ticks, err)
	}
	if _, err := stream.Await(ctx, s.js, stream.Config{}, quiet); err != nil {
		return fmt.Errorf("make the streams: %w", err)
	}
	return nil
}

const deleteTimeout = 30 * time.Second

// close takes the store away with all that it holds.
func (s *store) close() error {
	var errs []error
	if s.process == nil && s.nc != nil {
		ctx, cancel := context.WithTimeout(context.Background(), deleteTimeout)
		defer cancel()
		for _, name := range ours {
			if err := s.js.DeleteStream(ctx, name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
				errs = append(errs, fmt.Errorf("delete stream %s: %w", name, err))
			}
		}
	}
	if s.nc != nil {
		s.nc.Close()
	}
	if s.process != nil {
		errs = append(errs, s.process.Kill(), os.RemoveAll(s.folder))
	}
	return errors.Join(errs...)
}
