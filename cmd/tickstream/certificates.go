package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/tickstock/tickstream/cmd/tickstream/certificate"
	"github.com/urfave/cli/v3"
)

const certificatesDescription = `Makes an authority, and with it a certificate and a key for each NODE, so that a
cluster can be tried: ca.pem, NODE.pem and NODE-key.pem. A NODE is the name that
the others reach it by; further names and addresses follow after commas:

  tickstream certificates --out certificates nats-1 nats-2,10.0.0.2 nats-3

A folder that has certificates is left as it is. The authority's key is not kept.`

func certificatesCommand() *cli.Command {
	return &cli.Command{
		Name: "certificates", Category: categoryRun, Usage: "Make certificates for a trial of a cluster",
		Description: certificatesDescription,
		ArgsUsage:   "NODE…",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Sources: env("certificates", "out"), Value: "certificates", Usage: "`FOLDER` to write to"},
			&cli.DurationFlag{Name: "valid-for", Sources: env("certificates", "valid-for"), Value: 365 * 24 * time.Hour, Usage: "how long they are valid (`DURATION`)"},
		},
		Action: func(_ context.Context, cmd *cli.Command) error {
			nodes, err := nodesOf(cmd.Args().Slice())
			if err != nil {
				return err
			}
			valid := cmd.Duration("valid-for")
			if valid < time.Minute {
				return flagErrorf(cmd, "valid-for", "is %v: give at least 1m", valid)
			}
			out := cmd.String("out")
			err = certificate.Make(out, nodes, valid)
			if errors.Is(err, certificate.ErrExists) {
				_, err = fmt.Fprintf(cmd.Root().Writer, "%s has certificates: left as they are\n", out)
				return err //nolint:wrapcheck // of standard output
			}
			if err != nil {
				return fmt.Errorf("make certificates: %w", err)
			}
			_, err = fmt.Fprintf(cmd.Root().Writer, "certificates of %d nodes are in %s, valid until %s\n", len(nodes), out, time.Now().Add(valid).Format(time.DateOnly))
			return err //nolint:wrapcheck // of standard output
		},
	}
}

// nodeName is a host's name or address, and fits a file's name.
var nodeName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$`)

func nodesOf(args []string) ([]certificate.Node, error) {
	if len(args) == 0 {
		return nil, usageErrorf("name the nodes: tickstream certificates nats-1 nats-2 nats-3")
	}
	nodes := make([]certificate.Node, 0, len(args))
	for _, arg := range args {
		hosts := strings.Split(arg, ",")
		for _, host := range hosts {
			if !nodeName.MatchString(host) {
				return nil, usageErrorf("%q is no host's name or address", host)
			}
		}
		nodes = append(nodes, certificate.Node{Name: hosts[0], Hosts: hosts})
	}
	return nodes, nil
}
