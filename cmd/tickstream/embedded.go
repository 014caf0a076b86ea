package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/shirou/gopsutil/v4/disk"
)

const (
	embeddedNATSPort  = 4222
	embeddedRedisPort = 6379
	loopback          = "127.0.0.1"
)

// dataFolder is the folder of the embedded servers, held by this process.
type dataFolder struct {
	path string
	lock *flock.Flock
}

// openDataFolder makes the folder and takes it for this process alone.
func openDataFolder(path string) (*dataFolder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w: give another with --data or TICKSTREAM_DATA", err)
	}
	lock := flock.New(filepath.Join(path, "lock"))
	held, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w: give another with --data or TICKSTREAM_DATA", err)
	}
	if !held {
		return nil, fmt.Errorf("the data folder %s is in use by another tickstream up: stop that one, or give another folder with --data or TICKSTREAM_DATA", path)
	}
	return &dataFolder{path: path, lock: lock}, nil
}

func (d *dataFolder) close() error {
	if err := d.lock.Unlock(); err != nil {
		return fmt.Errorf("release the data folder: %w", err)
	}
	return nil
}

// defaultDataFolder is the per-user state folder of this system.
func defaultDataFolder() string {
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "tickstream")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "state", "tickstream")
	}
	return filepath.Join(os.TempDir(), "tickstream")
}

// freeBytes is how much the disk under the folder can still take.
func (d *dataFolder) freeBytes() (int64, error) {
	usage, err := disk.Usage(d.path)
	if err != nil {
		return 0, fmt.Errorf("measure the disk of the data folder: %w", err)
	}
	return int64(min(usage.Free, 1<<62)), nil //nolint:gosec // bounded just here
}

// choosePort is the wanted loopback port, or a free one if that is taken.
func choosePort(wanted int) (port int, taken bool, err error) {
	listener, err := net.Listen("tcp", fmt.Sprintf("%s:%d", loopback, wanted))
	if err != nil {
		taken = true
		if listener, err = net.Listen("tcp", loopback+":0"); err != nil {
			return 0, true, fmt.Errorf("find a free port: %w", err)
		}
	}
	defer listener.Close() //nolint:errcheck // nothing was written
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, taken, errors.New("find a free port: not a TCP address")
	}
	return address.Port, taken, nil
}

// startNATS runs an embedded NATS server with JetStream on a file store.
func startNATS(data *dataFolder, log *slog.Logger) (*server.Server, error) {
	port, taken, err := choosePort(embeddedNATSPort)
	if err != nil {
		return nil, err
	}
	if taken {
		log.Warn("port is taken, using a free one", "server", "nats", "wanted", embeddedNATSPort, "port", port)
	}
	s, err := server.NewServer(&server.Options{
		ServerName: "tickstream", Host: loopback, Port: port,
		JetStream: true, StoreDir: filepath.Join(data.path, "nats"),
		// What streams may reserve; the disk itself is the real bound.
		JetStreamMaxStore: 1 << 50,
		NoSigs:            true,
	})
	if err != nil {
		return nil, fmt.Errorf("make the embedded nats server: %w", err)
	}
	s.SetLoggerV2(natsLog{log}, false, false, false)
	s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		s.Shutdown()
		return nil, errors.New("start the embedded nats server: not ready after 20s")
	}
	return s, nil
}

// stopNATS stops the server and waits until its store is closed.
func stopNATS(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// natsLog passes on what an operator can act on.
type natsLog struct{ log *slog.Logger }

func (l natsLog) Noticef(format string, v ...any) { l.log.Debug("nats: " + fmt.Sprintf(format, v...)) }
func (l natsLog) Warnf(format string, v ...any)   { l.log.Warn("nats: " + fmt.Sprintf(format, v...)) }
func (l natsLog) Errorf(format string, v ...any)  { l.log.Error("nats: " + fmt.Sprintf(format, v...)) }
func (l natsLog) Fatalf(format string, v ...any)  { l.log.Error("nats: " + fmt.Sprintf(format, v...)) }
func (l natsLog) Debugf(string, ...any)           {}
func (l natsLog) Tracef(string, ...any)           {}

// startRedis runs an embedded Redis-compatible server in memory.
func startRedis(log *slog.Logger) (*miniredis.Miniredis, error) {
	port, taken, err := choosePort(embeddedRedisPort)
	if err != nil {
		return nil, err
	}
	if taken {
		log.Warn("port is taken, using a free one", "server", "redis", "wanted", embeddedRedisPort, "port", port)
	}
	s := miniredis.NewMiniRedis()
	if err := s.StartAddr(fmt.Sprintf("%s:%d", loopback, port)); err != nil {
		return nil, fmt.Errorf("start the embedded redis server: %w", err)
	}
	return s, nil
}

// runRedisClock lets keys of the embedded server expire, which does not keep
// time by itself, until ctx ends.
func runRedisClock(ctx context.Context, s *miniredis.Miniredis) {
	const step = 250 * time.Millisecond
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.FastForward(step)
		}
	}
}
