package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/urfave/cli/v3"
)

func TestUsageErrorsNameTheMend(t *testing.T) {
	for _, c := range []struct {
		args, want string
	}{
		{"dcotor", `unknown command "dcotor", did you mean doctor?`},
		{"session strat", `unknown command "strat", did you mean start?`},
		{"version now", `takes no argument "now"; see tickstream version --help`},
		{"sim --rat 3", "unknown flag --rat, did you mean --rate?"},
		{"sim --rate", "--rate (TICKSTREAM_SIM_RATE) needs a value; see tickstream sim --help"},
		{"sim ---rate 3", "cannot read ---rate: write --rate; see"},
		{"sim --bogus", "unknown flag --bogus; see tickstream sim --help"},
		{"bridge -x", "unknown flag -x; see tickstream bridge --help"},
		{"foo", `unknown command "foo"; see tickstream --help`},
		{"help foo", `unknown command "foo"; see tickstream`},
		{"sim --rate many", `--rate (TICKSTREAM_SIM_RATE) cannot be "many": give a number; see`},
		{"sim --rate 0", `--rate (TICKSTREAM_SIM_RATE) cannot be "0": give more than 0`},
		{"sim --rate -5", `--rate (TICKSTREAM_SIM_RATE) cannot be "-5": give more than 0`},
		{"sim --rate NaN", `--rate (TICKSTREAM_SIM_RATE) cannot be "NaN": give a number`},
		{"sim --rate 1e9", "--rate (TICKSTREAM_SIM_RATE) is 1e+09: give more than 0 and at most 1000000"},
		{"sim --shape odd", `--shape (TICKSTREAM_SIM_SHAPE) is "odd": give market or raw`},
		{"--log-level error sim --symbols 61", "--symbols (TICKSTREAM_SIM_SYMBOLS) is 61: universe market_leaders:top_500 has 60"},
		{"sim --symbols -1", "--symbols (TICKSTREAM_SIM_SYMBOLS) is -1: give at least 1"},
		{"sim --symbols 0", "--symbols (TICKSTREAM_SIM_SYMBOLS) is 0: give at least 1"},
		{"sim --seed 0", `--seed (TICKSTREAM_SIM_SEED) cannot be "0": give at least 1`},
		{"sim --count 0", "--count (TICKSTREAM_SIM_COUNT) is 0: give at least 1"},
		{"sim --duration 0s", `--duration (TICKSTREAM_SIM_DURATION) cannot be "0s": give more than 0`},
		{"sim --malformed 2 --late 3", "--malformed (TICKSTREAM_SIM_MALFORMED) is 2: give a share from 0 to 1"},
		{"sim --speed fast", `--speed (TICKSTREAM_SIM_SPEED) is "fast": give a number above 0, such as 1 or 10, or max`},
		{"sim --from /nowhere/ticks", "--from (TICKSTREAM_SIM_FROM) cannot be read: /nowhere/ticks: no such file"},
		{"sim --from /", "--from (TICKSTREAM_SIM_FROM) is /, a folder: give a file"},
		{"sim --from=", "--from (TICKSTREAM_SIM_FROM) is empty"},
		{"sim --universe=", `--universe (TICKSTREAM_UNIVERSE) cannot be "": leave it out for the default`},
		{"sim --universe-file /nowhere/u", "--universe-file (TICKSTREAM_UNIVERSE_FILE) cannot be read: /nowhere/u"},
		{"sim --redis http://x", "--redis (REDIS_URL) http://x: unknown scheme"},
		{"sim --redis redis://u:hunter2@x:y", "--redis (REDIS_URL) redis://xxxxx@x:y: not a URL"},
		{"sim --redis redis://x:99999", "--redis (REDIS_URL) redis://x:99999: port 99999: give 1 to 65535"},
		{"sim --redis redis+cluster://x:1,y:0", "--redis (REDIS_URL) redis+cluster://x:1,y:0: port 0: give 1 to 65535"},
		{"sim --redis redis://::::", "the host cannot be read: give host:port"},
		{"sim --redis-namespace a*", `--redis-namespace (TICKSTREAM_REDIS_NAMESPACE) cannot be "a*": give letters and digits`},
		{"bridge --redis-namespace tickstock:", `cannot be "tickstock:": give letters and digits`},
		{"health --redis-namespace=", `--redis-namespace (TICKSTREAM_REDIS_NAMESPACE) cannot be "": leave it out`},
		{"sim --redis-ca /nowhere/ca", "--redis-ca (TICKSTREAM_REDIS_CA) cannot be read: /nowhere/ca"},
		{"sim --redis-ca /dev/null", "let --redis (REDIS_URL) begin with rediss"},
		{"sim --database hunter2://x", "--database (DATABASE_URL) cannot be read: give postgres://"},
		{"bridge --queue-bytes 0", `--queue-bytes (TICKSTREAM_QUEUE_BYTES) cannot be "0": give a size such as 512MiB`},
		{"bridge --queue-bytes 1", "--queue-bytes (TICKSTREAM_QUEUE_BYTES) is 1: give at least 1 MiB"},
		{"bridge --source odd", "--source (TICKSTREAM_SOURCE) is \"odd\": give"},
		{"bridge --group=", "--group (TICKSTREAM_GROUP) cannot be"},
		{"bridge --lateness 0s", `--lateness (TICKSTREAM_LATENESS) cannot be "0s": give more than 0`},
		{"pipeline --replicas 2 --ticks-max-age 1s", "--replicas (TICKSTREAM_REPLICAS) is 2: give 1, 3 or 5"},
		{"pipeline --ticks-max-bytes 1", "--ticks-max-bytes (TICKSTREAM_TICKS_MAX_BYTES) is 1: give at least 1 MiB"},
		{"pipeline --rebuild", "--rebuild and --from go together"},
		{"pipeline --rebuild --from 2999-01-01", "--from is 2999-01-01T00:00:00Z: give a time that has passed"},
		{"pipeline --rebuild --from 1970-01-01", "--from is 1970-01-01T00:00:00Z: give a time that has passed"},
		{"pipeline --nats ::::", "--nats (NATS_URL) ::::: the host cannot be read: give host:port"},
		{"health --health-interval 0s", `--health-interval (TICKSTREAM_HEALTH_INTERVAL) cannot be "0s": give more than 0`},
		{"health --health-interval 2m", `--health-interval (TICKSTREAM_HEALTH_INTERVAL) cannot be "2m": give 1s to 60s`},
		{"health --http here", `--http (TICKSTREAM_HTTP) cannot be "here": give host:port`},
		{"health --http 0.0.0.0:8080", "--http (TICKSTREAM_HTTP) is 0.0.0.0:8080, which other machines reach: set a token in TICKSTREAM_HTTP_TOKEN"},
		{"up --http :8080", "--http (TICKSTREAM_HTTP) is :8080, which other machines reach"},
		{"health --http-token hunter2", "--http-token (TICKSTREAM_HTTP_TOKEN) has 7 characters: give at least 16"},
		{"health --http-client-ca /dev/null", "https needs both a certificate and its key: give --http-cert and --http-key"},
		{"health --http-cert /dev/null --http-key /dev/null", "--http-client-ca, --http-cert, --http-key (TICKSTREAM_HTTP_CLIENT_CA, …_CERT, …_KEY): load certificate"},
		{"health --database postgres://h/db?sslmode=disable --database-ca /dev/null", "leave sslmode out for verify-full"},
		{"pipeline --database postgres://h/db --database-ca /dev/null", "--database-ca, --database-cert, --database-key (TICKSTREAM_DATABASE_CA, …_CERT, …_KEY) cannot be used: give PEM files"},
		{"doctor --database postgres://h/db --database-ca /nowhere/ca", "--database-ca (TICKSTREAM_DATABASE_CA) cannot be read: /nowhere/ca"},
		{"health --session odd", `--session (TICKSTREAM_SESSION) cannot be "odd": give market, always or manual`},
		{"health --lag-warning 40s", "--lag-critical (TICKSTREAM_LAG_CRITICAL) is 30s: give at least the lag warning of 40s"},
		{"health --universe=", `--universe (TICKSTREAM_UNIVERSE) cannot be ""`},
		{"up --sim 0", "up --sim cannot be 0: give more than 0 and at most 1000000"},
		{"up --sim -5", "up --sim cannot be -5"},
		{"up --sim NaN", "up --sim cannot be NaN"},
		{"up --sim --rate 0", `--rate (TICKSTREAM_SIM_RATE) cannot be "0": give more than 0`},
		{"up --queue-bytes 0", "--queue-bytes (TICKSTREAM_QUEUE_BYTES)"},
		{"up --nats ::::", "the host cannot be read"},
		{"watch --bus kafka", `--bus (TICKSTREAM_WATCH_BUS) cannot be "kafka": give nats or redis`},
		{"watch bar", `watch does not know the kind "bar", did you mean bars?; see tickstream watch --help`},
		{"watch everything", `watch does not know the kind "everything": give some of health, session, ticks, bars, signals, alerts, rejects`},
		{"watch bars --bus redis", "there are no bars on Redis: leave out --bus redis"},
		{"watch --json --text", "--json and --text exclude each other"},
		{"watch --nats redis://x", `--nats (NATS_URL) redis://x: scheme "redis": give one of nats, tls, ws, wss`},
		{"watch --nats nats://x:99999", "--nats (NATS_URL) nats://x:99999: port 99999: give 1 to 65535"},
		{"watch --nats-creds /nowhere/c", "--nats-creds (TICKSTREAM_NATS_CREDS) cannot be read: /nowhere/c"},
		{"watch --nats-nkey /nowhere/n", "--nats-nkey (TICKSTREAM_NATS_NKEY) cannot be read"},
		{"watch --nats-ca /nowhere/ca", "--nats-ca (TICKSTREAM_NATS_CA) cannot be read"},
		{"doctor --role boss", `--role (TICKSTREAM_DOCTOR_ROLE) cannot be "boss": give bridge, pipeline or health`},
		{"doctor --here", "--here needs --role"},
		{"doctor --health-interval 2m", "--health-interval (TICKSTREAM_HEALTH_INTERVAL) cannot be \"2m\": give 1s to 60s"},
		{"doctor --health-interval soon", `cannot be "soon": give a time such as 500ms, 5s or 1h30m`},
		{"doctor --json=maybe", `--json (TICKSTREAM_DOCTOR_JSON) cannot be "maybe": give true or false`},
		{"doctor --database hunter2://x", "--database (DATABASE_URL) cannot be read"},
		{"replay --from yesterday", `--from (TICKSTREAM_REPLAY_FROM) is "yesterday": give a time such as`},
		{"replay --from=", `--from (TICKSTREAM_REPLAY_FROM) cannot be "": leave it out`},
		{"replay --from -1h --from-seq 3", "--from (TICKSTREAM_REPLAY_FROM) is given as a time and as a sequence"},
		{"replay --from-seq -1", `--from-seq (TICKSTREAM_REPLAY_FROM_SEQ) cannot be "-1": give a whole number that is not negative`},
		{"replay --to-seq 0", "--from-seq and --to-seq begin with 1"},
		{"replay --symbol=", "--symbol (TICKSTREAM_REPLAY_SYMBOL) is empty: leave it out"},
		{"replay --to-redis=", "--to-redis (TICKSTREAM_REPLAY_TO_REDIS) is empty"},
		{"replay --to-redis a --to-subject b", "--to-redis, --to-subject and --to-nats exclude each other"},
		{"replay --to-subject a..b", `--to-subject (TICKSTREAM_REPLAY_TO_SUBJECT) is "a..b"`},
		{"--log-level loud version", `--log-level (TICKSTREAM_LOG_LEVEL) cannot be "loud": give debug, info, warn or error`},
		{"--log-format xml version", `--log-format (TICKSTREAM_LOG_FORMAT) cannot be "xml": give text or json`},
	} {
		t.Run(c.args, func(t *testing.T) {
			code, _, stderr := tickstream(t, strings.Fields(c.args)...)
			if code != exitUsage || !strings.Contains(stderr, c.want) {
				t.Errorf("exit code %d, want %d; standard error is %q, want it to hold %q", code, exitUsage, stderr, c.want)
			}
			// Nothing was begun, so the sentence is all that is said.
			if !strings.HasPrefix(stderr, "tickstream: ") || len(lines(stderr)) != 1 {
				t.Errorf("it is not one sentence: %s", stderr)
			}
			for _, leak := range []string{"strconv", "time: ", "slog: ", "parse error", "of the same names", "settings: "} {
				if strings.Contains(stderr, leak) {
					t.Errorf("%q means nothing to a user: %s", leak, stderr)
				}
			}
			if strings.Contains(stderr, "hunter2") {
				t.Errorf("a secret is shown: %s", stderr)
			}
		})
	}
}

func TestEnvironmentSetsFlags(t *testing.T) {
	t.Setenv("TICKSTREAM_SIM_RATE", "many")
	code, _, stderr := tickstream(t, "sim")
	if want := `TICKSTREAM_SIM_RATE (--rate) cannot be "many": give a number; see tickstream sim --help`; code != exitUsage || !strings.Contains(stderr, want) {
		t.Errorf("exit code %d, standard error is %q, want %q", code, stderr, want)
	}
	t.Setenv("TICKSTREAM_SIM_RATE", "") // as a compose file passes what nobody set
	t.Setenv("REDIS_URL", "redis://:hunter2@x:1/db")
	code, _, stderr = tickstream(t, "sim")
	if want := "--redis (REDIS_URL) redis://xxxxx@x:1/db: what follows the host is no number of a database"; code != exitUsage || !strings.Contains(stderr, want) {
		t.Errorf("exit code %d, standard error is %q, want %q", code, stderr, want)
	}
}

func TestEveryFlagHasAVariable(t *testing.T) {
	owner := map[string]string{}
	var walk func(*cli.Command)
	walk = func(cmd *cli.Command) {
		for _, f := range cmd.Flags {
			name := f.Names()[0]
			documented, ok := f.(cli.DocGenerationFlag)
			if name == "help" || !ok {
				continue
			}
			env := documented.GetEnvVars()
			if len(env) != 1 {
				t.Errorf("%s --%s has the variables %q, want one", cmd.Name, name, env)
				continue
			}
			if documented.GetUsage() == "" {
				t.Errorf("%s --%s has no help", cmd.Name, name)
			}
			// One variable never means two things.
			if other, known := owner[env[0]]; known && other != name {
				t.Errorf("%s sets --%s and --%s", env[0], other, name)
			}
			owner[env[0]] = name
		}
		for _, child := range cmd.Commands {
			walk(child)
		}
	}
	walk(newRoot(strings.NewReader(""), nil, nil))
	for _, env := range []string{"NATS_URL", "REDIS_URL", "DATABASE_URL", "TICKSTREAM_LOG_LEVEL", "TICKSTREAM_REDIS_NAMESPACE"} {
		if owner[env] == "" {
			t.Errorf("no flag reads %s", env)
		}
	}
}

func TestEveryCommandHasHelp(t *testing.T) {
	for _, cmd := range commands() {
		code, stdout, stderr := tickstream(t, cmd.Name, "--help")
		if code != exitOK || !strings.Contains(stdout, cmd.Usage) || stderr != "" {
			t.Errorf("%s --help: exit code %d, standard error %q, standard output:\n%s", cmd.Name, code, stderr, stdout)
		}
		if cmd.Category == "" || cmd.Usage == "" {
			t.Errorf("%s has no category or no usage", cmd.Name)
		}
	}
	code, stdout, _ := tickstream(t)
	for _, want := range []string{"tickstream up --sim", "Exit codes:", "130", "doctor", "completion"} {
		if code != exitOK || !strings.Contains(stdout, want) {
			t.Errorf("exit code %d, the help does not hold %q:\n%s", code, want, stdout)
		}
	}
}

func TestVersion(t *testing.T) {
	code, stdout, _ := tickstream(t, "version")
	if code != exitOK || !strings.HasPrefix(stdout, "tickstream ") || !strings.Contains(stdout, "go1.") || !strings.Contains(stdout, "commit ") {
		t.Errorf("exit code %d, %q", code, stdout)
	}
	code, stdout, _ = tickstream(t, "version", "--json")
	var b build
	if err := json.Unmarshal([]byte(stdout), &b); code != exitOK || err != nil || b != currentBuild() {
		t.Errorf("exit code %d, %v, %q", code, err, stdout)
	}
}

func TestVersionFlag(t *testing.T) {
	for _, flag := range []string{"--version", "-v"} {
		code, stdout, stderr := tickstream(t, flag)
		if want := "tickstream version " + strings.TrimPrefix(currentBuild().String(), "tickstream ") + "\n"; code != exitOK || stdout != want || stderr != "" {
			t.Errorf("%s: exit code %d, %q, want %q", flag, code, stdout, want)
		}
	}
}

// A default is told once, and is the true one.
func TestHelpTellsEachDefaultOnce(t *testing.T) {
	for _, cmd := range commands() {
		_, stdout, _ := tickstream(t, cmd.Name, "--help")
		for _, line := range lines(stdout) {
			if strings.Count(line, "default") > 1 || strings.Contains(line, "(default: 0s)") {
				t.Errorf("%s: %s", cmd.Name, line)
			}
		}
	}
}

// What the clients of the servers say is put into our words, in the log and at
// the end.
func TestClientsWordsAreNotPassedOn(t *testing.T) {
	err := fmt.Errorf("look up stream TICKS: %w\nand on", nats.ErrReconnectBufExceeded)
	if got, want := plain(err), "look up stream TICKS: not connected to NATS; and on"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, format := range []string{logText, logJSON} {
		var out strings.Builder
		root := newRoot(strings.NewReader(""), nil, &out)
		root.Commands = []*cli.Command{{Name: "say", Action: func(_ context.Context, cmd *cli.Command) error {
			logger(cmd).Warn("waiting", "err", err)
			return nil
		}}}
		if err := root.Run(t.Context(), []string{"tickstream", "--log-format", format, "say"}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "not connected to NATS; and on") {
			t.Errorf("%s: %s", format, out.String())
		}
	}
}

func TestClosest(t *testing.T) {
	names := []string{"doctor", "start", "stop", "rate", "json", "log-level"}
	for word, want := range map[string]string{
		"dcotor": "doctor", "strat": "start", "rat": "rate", "jsno": "json", "loglevel": "log-level", "rate": "rate",
		"foo": "", "bogus": "", "x": "", "": "", "stp": "stop",
	} {
		if got := closest(word, names); got != want {
			t.Errorf("%s: got %q, want %q", word, got, want)
		}
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "pwsh"} {
		if code, stdout, _ := tickstream(t, "completion", shell); code != exitOK || len(stdout) < 100 {
			t.Errorf("%s: exit code %d, %q", shell, code, stdout)
		}
	}
	if _, stdout, _ := tickstream(t, "session", "--generate-shell-completion"); !strings.Contains(stdout, "stop") {
		t.Errorf("completing session gives %q", stdout)
	}
}
