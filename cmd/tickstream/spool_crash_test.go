package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// segments are the files of a spool below a folder, the newest last.
func segments(t *testing.T, folder string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*", "*.segment"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func spooled(t *testing.T, folder, payload string) bool {
	t.Helper()
	for _, name := range segments(t, folder) {
		if data, err := os.ReadFile(name); err == nil && bytes.Contains(data, []byte(payload)) {
			return true
		}
	}
	return false
}

// A bridge that is killed while NATS is away leaves its ticks on disk, and the
// next one stores them: a last record that is torn costs nothing that was taken,
// and one that the disk damaged costs itself, and both are told.
func TestSpoolOutlivesAKilledBridge(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(t *testing.T, file *os.File, data []byte, victim string)
		lost int
		log  string
	}{
		"whole": {func(*testing.T, *os.File, []byte, string) {}, 0, "took up what was spooled"},
		"torn end": {func(t *testing.T, file *os.File, data []byte, _ string) {
			if _, err := file.WriteAt(data[:len(data)/20], int64(len(data))); err != nil {
				t.Fatal(err)
			}
			if err := file.Truncate(int64(len(data) + 30)); err != nil {
				t.Fatal(err)
			}
		}, 0, "not written whole"},
		"damage in the middle": {func(t *testing.T, file *os.File, data []byte, victim string) {
			at := bytes.Index(data, []byte(victim))
			if _, err := file.WriteAt([]byte{data[at] ^ 1}, int64(at)); err != nil {
				t.Fatal(err)
			}
		}, 1, "cannot be read and is lost"},
	} {
		t.Run(name, func(t *testing.T) {
			s, folder := startTestServers(t), t.TempDir()
			proxy := testbed.StartProxy(t, strings.TrimPrefix(s.nats.URL(), "nats://"))
			args := []string{"bridge", "--nats", "nats://" + proxy.Addr(), "--redis", s.redis.URL, "--redis-namespace", s.namespace(), "--spool", folder}
			first := spawn(t, args...)
			s.awaitBridge(t, first, "leads", leads)
			l := s.newTickFeed()
			l.publish(t, 500)
			s.expectStored(t, l.sent)
			proxy.Cut()
			l.publish(t, 2000)
			last := l.sent["SYM2"][len(l.sent["SYM2"])-1]
			testbed.Eventually(t, 30*time.Second, "all spooled", func(context.Context) bool { return spooled(t, folder, last) })
			first.kill()

			names := segments(t, folder)
			data, err := os.ReadFile(names[len(names)-1])
			if err != nil {
				t.Fatal(err)
			}
			file, err := os.OpenFile(names[len(names)-1], os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			victim := l.sent["SYM1"][300]
			c.harm(t, file, data, victim)
			_ = file.Close()
			if c.lost > 0 {
				l.sent["SYM1"] = append(l.sent["SYM1"][:300:300], l.sent["SYM1"][301:]...)
			}

			proxy.Restore()
			second := spawn(t, args...)
			s.expectStored(t, l.sent)
			if log := second.stderr.String(); !strings.Contains(log, c.log) {
				t.Errorf("the log does not say %q: %s", c.log, log)
			}
			s.awaitBridge(t, second, "has none left", func(r *presence.Report) bool {
				return r.Bridge.SpooledTicks == 0 && r.Bridge.SpooledBytes == 0 && (r.Bridge.SpoolDamaged > 0) == (c.lost > 0)
			})
		})
	}
}
