package main

import (
	"strings"
	"testing"
)

func TestConfigCheckShowsWhatIsGivenAndNoPassword(t *testing.T) {
	t.Setenv("NATS_URL", "nats://bridge:hunter2@nats:4222")
	t.Setenv("DATABASE_URL", "host=db user=ticks password='hunter2' dbname=tickstock")
	for _, c := range []struct{ args, want string }{
		{"bridge --lateness 3s", "--nats nats://xxxxx@nats:4222 NATS_URL --lateness 3s command line the settings of bridge can be used"},
		{"bridge --nats=nats://u:hunter2@other:1", "--nats nats://xxxxx@other:1 command line the settings of bridge can be used"},
		{"pipeline --database postgres://u:hunter2@db/x", "--nats nats://xxxxx@nats:4222 NATS_URL --database postgres://xxxxx@db/x command line the settings of pipeline can be used"},
		{"health --http-token hunter2-hunter2-hunter2", "--http-token xxxxx command line"},
		{"--all pipeline", "--database host=db user=ticks password=xxxxx dbname=tickstock DATABASE_URL"},
		{"--all bridge", "--spool-bytes 8GiB default"},
	} {
		t.Run(c.args, func(t *testing.T) {
			code, stdout, stderr := tickstream(t, strings.Fields("config check "+c.args)...)
			got := strings.Join(strings.Fields(stdout), " ")
			if code != exitOK || !strings.Contains(got, c.want) {
				t.Errorf("exit code %d, printed\n%s\n%s\nwant %q", code, got, stderr, c.want)
			}
			if strings.Contains(stdout+stderr, "hunter2") {
				t.Error("a password is shown")
			}
		})
	}
}

func TestConfigCheckRefusesAsTheRoleDoes(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"bridge --lateness 20m", "--lateness (TICKSTREAM_LATENESS)"},
		{"bridge --spool-bytes 3", "--spool-bytes (TICKSTREAM_SPOOL_BYTES) is 3 bytes: give at least 1MiB, or --spool off"},
		{"health --stale-share 3", "--stale-share (TICKSTREAM_STALE_SHARE)"},
		{"pipeline --partitions 1000", "--partitions (TICKSTREAM_PARTITIONS)"},
		{"nobody", `unknown command "nobody"`},
	} {
		code, _, stderr := tickstream(t, strings.Fields("config check "+c.args)...)
		if code != exitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d, %s; want %q", c.args, code, stderr, c.want)
		}
	}
}
