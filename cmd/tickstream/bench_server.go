package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/urfave/cli/v3"
)

// Servers of a benchmark are processes of their own, so that they can be killed.

func serverFlags(server string) []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "port", Sources: env(server, "port"), Required: true, Usage: "`PORT` on loopback"},
		&cli.StringFlag{Name: "goroutines", Sources: env(server, "goroutines"), Usage: "`FILE` to note the number of goroutines in"},
	}
}

func benchNATSCommand() *cli.Command {
	return &cli.Command{
		Name: "nats", Hidden: true, Usage: "Be the NATS server of a benchmark",
		Flags: append(serverFlags("bench-nats"),
			&cli.StringFlag{Name: "store", Sources: env("bench-nats", "store"), Required: true, Usage: "`FOLDER` of JetStream"},
			&cli.BoolFlag{Name: "sync-always", Sources: env("bench-nats", "sync-always"), Usage: "call fsync before each acknowledgement"},
		),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			s, err := server.NewServer(&server.Options{
				ServerName: "bench", Host: loopback, Port: cmd.Int("port"),
				JetStream: true, StoreDir: cmd.String("store"), JetStreamMaxStore: 1 << 50, SyncAlways: cmd.Bool("sync-always"), NoSigs: true,
			})
			if err != nil {
				return fmt.Errorf("make the nats server: %w", err)
			}
			s.SetLoggerV2(natsLog{logger(cmd)}, false, false, false)
			s.Start()
			defer stopNATS(s)
			if !s.ReadyForConnections(time.Minute) {
				return errors.New("start the nats server: not ready after a minute")
			}
			noteGoroutines(ctx, cmd.String("goroutines"))
			return nil
		},
	}
}

func benchRedisCommand() *cli.Command {
	return &cli.Command{
		Name: "redis", Hidden: true, Usage: "Be the Redis of a benchmark where redis-server is not installed",
		Flags: serverFlags("bench-redis"),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			s := miniredis.NewMiniRedis()
			if err := s.StartAddr(net.JoinHostPort(loopback, strconv.Itoa(cmd.Int("port")))); err != nil {
				return fmt.Errorf("start the redis server: %w", err)
			}
			defer s.Close()
			go runRedisClock(ctx, s) // ends with ctx
			noteGoroutines(ctx, cmd.String("goroutines"))
			return nil
		},
	}
}

// noteGoroutines writes their number to a file each second until ctx ends.
func noteGoroutines(ctx context.Context, file string) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		if file != "" {
			_ = os.WriteFile(file, []byte(strconv.Itoa(runtime.NumGoroutine())), 0o600) // a number less
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
