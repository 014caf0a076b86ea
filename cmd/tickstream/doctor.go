package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
	"github.com/tickstock/tickstream/cmd/tickstream/doctor"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/urfave/cli/v3"
)

const doctorDescription = `Looks at every hop from AppV2's ticks to the health event and says what is
broken, with the number it measured and the mend:

  ✓ well   ! worth knowing   ✗ broken   – not told, or follows from another line

  tickstream doctor
  tickstream doctor --database postgres://reader:secret@db:5432/tickstock
  tickstream doctor --json

It takes as long as health takes to publish, some seconds. The exit code is 0
if nothing is broken, 3 if something is (with --strict: also for a !), 2 if a
setting cannot be used.

In a container, whether this role lives, within a second:
  tickstream doctor --role bridge`

func doctorCommand() *cli.Command {
	roles := []string{presence.RoleBridge, presence.RolePipeline, presence.RoleHealth}
	flags := append([]cli.Flag{
		&cli.StringFlag{
			Name: "role", Sources: env("doctor", "role"), DefaultText: "everything",
			Usage:     "only check that this `ROLE` runs: " + strings.Join(roles, ", "),
			Validator: oneOf(roles...),
		},
		&cli.BoolFlag{Name: "here", Sources: env("doctor", "here"), Usage: "with --role: on this host, as containers are"},
		&cli.BoolFlag{Name: "json", Sources: env("doctor", "json"), Usage: "print one JSON object"},
		&cli.BoolFlag{Name: "strict", Sources: env("doctor", "strict"), Usage: "exit with 3 for what is only worth knowing, too"},
		healthIntervalFlag(""),
	}, natsFlags(defaultNATSURL)...)
	flags = append(append(flags, redisFlags(defaultRedisURL)...), databaseFlags()...)
	return &cli.Command{
		Name: "doctor", Category: categoryLook,
		Usage:       "Find out what is broken, hop by hop",
		Description: doctorDescription,
		Flags:       append(flags, universeFlags()[0]),
		Action:      runDoctor,
	}
}

func runDoctor(ctx context.Context, cmd *cli.Command) error {
	natsCfg, redisCfg := natsConfigOf(cmd), redisConfigOf(cmd)
	if cmd.Bool("here") && cmd.String("role") == "" {
		return usageErrorf("--here needs --role: give the role that is to be on this host")
	}
	cfg := doctor.Config{
		HealthInterval: cmd.Duration("health-interval"), Channels: channelsOf(cmd),
		NATSURL: redact(natsCfg.URL), RedisURL: redact(redisCfg.URL), UniverseKey: cmd.String("universe"),
	}
	servers := doctor.Servers{NATS: func() (*nats.Conn, error) { return pingNATS(natsCfg) }}
	var checks []doctor.Check
	if role := cmd.String("role"); role != "" {
		facts := doctor.RoleFacts{Facts: doctor.ExamineRole(ctx, cfg, servers, role)}
		if cmd.Bool("here") {
			var err error
			if facts.Host, err = os.Hostname(); err != nil {
				return fmt.Errorf("learn the name of this host: %w", err)
			}
		}
		checks = doctor.JudgeRole(facts, role)
	} else {
		client, err := connectRedis(redisCfg, "doctor")
		if err != nil {
			return err
		}
		defer func() { _ = client.Close() }() // it was only read from
		servers.Redis = client
		url, err := databaseURL(cmd)
		if err != nil {
			return err
		}
		if url != "" {
			servers.Database = func(ctx context.Context) (*pgx.Conn, error) { return connectDatabase(ctx, url) }
		}
		checks = doctor.Judge(doctor.Examine(ctx, cfg, servers))
	}
	if err := ctx.Err(); err != nil {
		return &exitError{code: exitInterrupted, err: errors.New("interrupted: the report would not be true")}
	}
	return reportChecks(cmd, checks)
}

// pingNATS connects without the mend that the report has itself.
func pingNATS(cfg natsConfig) (*nats.Conn, error) {
	opts, err := cfg.options("doctor")
	if err != nil {
		return nil, err
	}
	nc, err := nats.Connect(cfg.URL, opts...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", redact(cfg.URL), err)
	}
	return nc, nil
}

// doctorReport is an examination as JSON.
type doctorReport struct {
	OK     bool           `json:"ok"`
	Checks []doctor.Check `json:"checks"`
}

// newDoctorReport sums checks up; with strict, what is only worth knowing is not
// well either.
func newDoctorReport(checks []doctor.Check, strict bool) doctorReport {
	warned := slices.ContainsFunc(checks, func(c doctor.Check) bool { return c.State == doctor.Warning })
	return doctorReport{OK: doctor.Healthy(checks) && !(strict && warned), Checks: checks}
}

func reportChecks(cmd *cli.Command, checks []doctor.Check) error {
	report := newDoctorReport(checks, cmd.Bool("strict"))
	var err error
	if w := cmd.Root().Writer; cmd.Bool("json") {
		err = json.NewEncoder(w).Encode(report)
	} else {
		err = printChecks(w, checks)
	}
	if err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	if !report.OK {
		return &exitError{code: exitUnwell}
	}
	return nil
}

// printChecks writes a line a check, its mend below it, and a last line that
// sums it up.
func printChecks(w io.Writer, checks []doctor.Check) error {
	paint := painter{coloured(w)}
	width := 0
	for _, c := range checks {
		width = max(width, utf8.RuneCountInString(c.Name))
	}
	var out strings.Builder
	var broken []string
	for _, c := range checks {
		sign := map[doctor.State]string{
			doctor.OK: paint.paint(green, "✓"), doctor.Warning: paint.paint(yellow, "!"),
			doctor.Failed: paint.paint(red, "✗"), doctor.Skipped: paint.paint(grey, "–"),
		}[c.State]
		detail := c.Detail
		if c.State == doctor.Skipped {
			detail = paint.paint(grey, "skipped: "+detail)
		}
		fmt.Fprintf(&out, "%s %-*s  %s\n", sign, width, c.Name, detail)
		if c.Mend != "" {
			fmt.Fprintf(&out, "  %*s  → %s\n", width, "", c.Mend)
		}
		if c.State == doctor.Failed {
			broken = append(broken, c.Name)
		}
	}
	if len(broken) == 0 {
		fmt.Fprintln(&out, "nothing is broken")
	} else {
		fmt.Fprintf(&out, "broken: %s\n", strings.Join(broken, ", "))
	}
	_, err := io.WriteString(w, out.String())
	return err
}
