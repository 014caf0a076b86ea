package main

import (
	"encoding/json"
	"strings"
	"testing"

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
		{"sim --rate", "flag needs an argument: --rate"},
		{"sim --rate many", `--rate (TICKSTREAM_SIM_RATE) cannot be "many"`},
		{"sim --rate 0", "--rate (TICKSTREAM_SIM_RATE) is 0: give more than 0"},
		{"sim --rate -5", "rate is -5: give more than 0"},
		{"sim --shape odd", `shape is "odd": give market or raw`},
		{"sim --symbols 61", "--symbols (TICKSTREAM_SIM_SYMBOLS) is 61: universe market_leaders:top_500 has 60"},
		{"sim --symbols -1", "--symbols (TICKSTREAM_SIM_SYMBOLS) is -1"},
		{"sim --speed fast", `--speed (TICKSTREAM_SIM_SPEED) is "fast": give a number above 0, such as 1 or 10, or max`},
		{"sim --from /nowhere/ticks", "--from (TICKSTREAM_SIM_FROM) cannot be read"},
		{"sim --universe-file /nowhere/u", "--universe-file (TICKSTREAM_UNIVERSE_FILE)"},
		{"sim --redis http://x", "--redis (REDIS_URL) http://x: unknown scheme"},
		{"sim --redis redis://u:hunter2@x:y", "--redis (REDIS_URL) redis://xxxxx@x:y: not a URL"},
		{"sim --redis-ca /nowhere/ca", "let --redis (REDIS_URL) begin with rediss"},
		{"sim --database hunter2://x", "--database (DATABASE_URL) cannot be read: give postgres://"},
		{"watch --bus kafka", `--bus (TICKSTREAM_WATCH_BUS) cannot be "kafka": give nats or redis`},
		{"watch --nats redis://x", `--nats (NATS_URL) redis://x: scheme "redis": give one of nats, tls, ws, wss`},
		{"watch --nats-creds /nowhere/c", "--nats-creds (TICKSTREAM_NATS_CREDS): stat /nowhere/c"},
		{"watch --nats-nkey /nowhere/n", "--nats-nkey (TICKSTREAM_NATS_NKEY)"},
		{"watch --nats-ca /nowhere/ca", "TICKSTREAM_NATS_CA"},
		{"doctor --role boss", `--role (TICKSTREAM_DOCTOR_ROLE) cannot be "boss": give one of bridge, pipeline, health`},
		{"doctor --health-interval 2m", "--health-interval (TICKSTREAM_HEALTH_INTERVAL) cannot be \"2m\": give 1s to 60s"},
		{"doctor --database hunter2://x", "--database (DATABASE_URL) cannot be read"},
		{"replay --from yesterday", `--from (TICKSTREAM_REPLAY_FROM) is "yesterday": give a time such as`},
		{"replay --from -1h --from-seq 3", "from is given as a time and as a sequence"},
		{"replay --to-seq 0", "--from-seq and --to-seq begin with 1"},
		{"replay --to-subject a..b", `--to-subject (TICKSTREAM_REPLAY_TO_SUBJECT) is "a..b"`},
		{"--log-level loud version", `--log-level (TICKSTREAM_LOG_LEVEL) cannot be "loud"`},
		{"--log-format xml version", `--log-format (TICKSTREAM_LOG_FORMAT) cannot be "xml": give text or json`},
	} {
		t.Run(c.args, func(t *testing.T) {
			code, _, stderr := tickstream(t, strings.Fields(c.args)...)
			if code != exitUsage || !strings.Contains(stderr, c.want) {
				t.Errorf("exit code %d, want %d; standard error is %q, want it to hold %q", code, exitUsage, stderr, c.want)
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
	if want := `TICKSTREAM_SIM_RATE (--rate) cannot be "many"`; code != exitUsage || !strings.Contains(stderr, want) {
		t.Errorf("exit code %d, standard error is %q, want %q", code, stderr, want)
	}
	t.Setenv("TICKSTREAM_SIM_RATE", "") // as a compose file passes what nobody set
	t.Setenv("REDIS_URL", "redis://:hunter2@x:1/db")
	code, _, stderr = tickstream(t, "sim")
	if want := "--redis (REDIS_URL) redis://xxxxx@x:1/db: redis: invalid database number"; code != exitUsage || !strings.Contains(stderr, want) {
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
