//go:build unix

package main

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

const trialSection = "Move from today's service"

// emptyDatabase makes a database, for clients that are tickstream's and psql.
func emptyDatabase(t *testing.T, name string) string {
	t.Helper()
	parsed, err := url.Parse(testbed.DatabaseURL(t))
	if err != nil {
		t.Fatal(err)
	}
	name += "_" + strings.ToLower(rand.Text()[:10])
	execute(t, parsed.String(), "create database "+name)
	t.Cleanup(func() { execute(t, testbed.DatabaseURL(t), "drop database "+name+" with (force)") })
	parsed.Path = "/" + name
	return parsed.String()
}

func execute(t *testing.T, database, sql string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, database)
	if err == nil {
		_, err = conn.Exec(ctx, sql)
		_ = conn.Close(ctx) // nothing is under way
	}
	if err != nil {
		t.Errorf("%s: %v", sql, err)
	}
}

// The section on moving from today's service, as it stands there, on a Redis and
// a PostgreSQL; today's service is played by an `up` of its own.
func TestReadmeTrial(t *testing.T) {
	for _, tool := range []string{"psql", "pg_dump", "redis-cli"} {
		needs(t, tool)
	}
	today, trial := emptyDatabase(t, "today"), emptyDatabase(t, "trial")
	old := "where timestamp < '" + time.Now().Add(-4*time.Minute).UTC().Format(time.RFC3339) + "'" // the feed is soon done with these
	execute(t, today, `create table cache_entries (type text, name text, key text, value jsonb)`)
	execute(t, today, `insert into cache_entries values ('stock_universe', 'market_leaders', 'top_500', '["AAPL", "MSFT", "NVDA"]')`)
	r := startReadme(t, "--session", "always", "--database", today)
	r.env = append(r.env, "DATABASE_URL="+today, "TRIAL_DATABASE_URL="+trial, "TICKSTREAM_DATA="+t.TempDir(), "TICKSTREAM_HTTP=127.0.0.1:0",
		"TICKSTREAM_SPOOL=off", "TICKSTREAM_SESSION=always")
	subscribes(t, &r.up.stderr)

	var beside *trialProcess
	for _, command := range shellCommands(t) {
		switch {
		case command.section != trialSection:
		case strings.Contains(command.text, "REDIS_NAMESPACE=trial"):
			beside = r.startTrial(t, command.text)
			if !strings.Contains(beside.stdout.String(), "publish ticks to tickstock:market:ticks") || !strings.Contains(beside.stderr.String(), "Loaded 3 symbols") {
				t.Error("the trial has other ticks, or another universe")
			}
			r.feed(t, 12) // to both from the same tick on
		case strings.Contains(command.text, "tickstream up"):
			execute(t, today, "update ohlcv_1min set tick_count = 424242 "+old)
			r.stopUp(t)
			beside.interrupt(t)
			beside = r.startTrial(t, command.text)
			if strings.Contains(beside.stdout.String(), "trial") {
				t.Errorf("it is a trial still: %s", &beside.stdout)
			}
		default:
			if strings.HasPrefix(command.text, "BARS=") {
				for _, database := range []string{today, trial} {
					testbed.Eventually(t, 30*time.Second, "old bars are stored", func(context.Context) bool { return countBars(t, database, old) >= 5 })
				}
			}
			if beside == nil {
				r.runCommand(t, command.text) // before the trial
				continue
			}
			testbed.Eventually(t, 30*time.Second, "it has told of itself for some seconds", func(context.Context) bool {
				return strings.Count(beside.stderr.String(), "Status: healthy")+strings.Count(beside.stderr.String(), "Status: degraded") >= 4
			})
			r.runCommand(t, command.text)
		}
	}
	if beside == nil {
		t.Fatalf("there is no section %q", trialSection)
	}
	if n := countBars(t, today, old+" and tick_count is distinct from 424242"); n != 0 {
		t.Errorf("the switch has written over %d bars of today's service", n)
	}
	beside.interrupt(t)
}

func subscribes(t *testing.T, log *output) {
	t.Helper()
	testbed.Eventually(t, 30*time.Second, "it subscribes to the ticks", func(context.Context) bool {
		return strings.Contains(log.String(), "subscribed channel=tickstock:market:ticks")
	})
}

// countBars is 0 where there is no table yet.
func countBars(t *testing.T, database, where string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // nothing is under way
	_ = conn.QueryRow(t.Context(), "select count(*) from ohlcv_1min "+where).Scan(&n)
	return n
}

// trialProcess is an `up` of the README.
type trialProcess struct {
	cmd            *exec.Cmd
	stdout, stderr output
	ended          chan error
}

// startTrial starts one, and has further commands look at its NATS.
func (r *readmeSystem) startTrial(t *testing.T, line string) *trialProcess {
	t.Helper()
	p := &trialProcess{ended: make(chan error, 1)}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), "bash", "-c", "NATS_URL= exec env "+r.addresses.Replace(line))
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = r.dir, r.env, &p.stdout, &p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait(); close(p.ended) }() // ends with the process, which is killed at the latest
	t.Cleanup(func() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // it may have ended
		for range p.ended {                                   // and writes into folders that are removed next
		}
		if t.Failed() {
			t.Logf("%s wrote\n%s\n%s", line, &p.stdout, &p.stderr)
		}
	})
	testbed.Eventually(t, 30*time.Second, "tickstream is up", func(context.Context) bool {
		return strings.Contains(p.stdout.String(), "tickstream is up")
	})
	subscribes(t, &p.stderr)
	r.env = append(r.env, "NATS_URL="+natsURL.FindString(p.stdout.String())) // the last one counts
	return p
}

// interrupt is Ctrl-C.
func (p *trialProcess) interrupt(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-p.ended:
		if err != nil {
			t.Errorf("ended by Ctrl-C: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("it has not ended 30 s after Ctrl-C")
	}
}
