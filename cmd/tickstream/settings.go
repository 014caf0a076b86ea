package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/tickstock/tickstream/health/observe"
	"github.com/urfave/cli/v3"
)

// guardFlags refuses explicit values that would be taken for the default: what
// somebody gave is used, or refused, and never replaced in silence.
func guardFlags(cmd *cli.Command) {
	for _, f := range cmd.Flags {
		switch f := f.(type) {
		case *cli.StringFlag:
			if f.Value != "" || f.DefaultText != "" {
				f.Validator = both(func(s string) error {
					if s == "" {
						return errors.New("leave it out for the default")
					}
					return nil
				}, f.Validator)
			}
		case *cli.DurationFlag:
			f.Validator = both(func(d time.Duration) error {
				if d <= 0 {
					return errors.New("give more than 0")
				}
				return nil
			}, f.Validator)
		case *cli.FloatFlag:
			f.Validator = both(func(x float64) error {
				if math.IsNaN(x) || math.IsInf(x, 0) {
					return errors.New("give a number")
				}
				if f.Value > 0 && x <= 0 {
					return errors.New("give more than 0")
				}
				return nil
			}, f.Validator)
		case *cli.IntFlag:
			f.Validator = both(atLeastOne(f.Value), f.Validator)
		case *cli.Uint64Flag:
			f.Validator = both(atLeastOne(f.Value), f.Validator)
		}
	}
}

// atLeastOne refuses 0 where it would stand for another default.
func atLeastOne[T int | uint64](fallback T) func(T) error {
	return func(n T) error {
		if fallback > 0 && n < 1 {
			return errors.New("give at least 1")
		}
		return nil
	}
}

// both is two validators, of which the second may be nil.
func both[T any](first, second func(T) error) func(T) error {
	return func(value T) error {
		if err := first(value); err != nil || second == nil {
			return err
		}
		return second(value)
	}
}

// oneOf is a validator of a flag that takes one of some words.
func oneOf(words ...string) func(string) error {
	return func(given string) error {
		for _, word := range words {
			if given == word {
				return nil
			}
		}
		last := len(words) - 1
		return fmt.Errorf("give %s or %s", strings.Join(words[:last], ", "), words[last])
	}
}

var namespaceWord = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9._:-]*[A-Za-z0-9])?$`)

// validNamespace refuses what would make channels that nobody can subscribe to
// by hand, or that Redis takes for a pattern.
func validNamespace(namespace string) error {
	if !namespaceWord.MatchString(namespace) {
		return errors.New("give letters and digits, with . _ - : between them, such as tickstock")
	}
	return nil
}

// validAddress refuses what cannot be listened on.
func validAddress(address string) error {
	_, port, err := net.SplitHostPort(address)
	if n, bad := strconv.Atoi(port); err != nil || bad != nil || n < 0 || n > 65535 {
		return errors.New("give host:port, such as 127.0.0.1:8080")
	}
	return nil
}

// checked runs action once the settings that its command shares with others are
// found usable, so that nothing is connected or started before.
func checked(action cli.ActionFunc) cli.ActionFunc {
	return func(ctx context.Context, cmd *cli.Command) error {
		if err := checkSecrets(cmd); err != nil {
			return err
		}
		if err := checkFiles(cmd); err != nil {
			return err
		}
		if natsCfg := natsConfigOf(cmd); natsCfg.URL != "" || natsCfg.err != nil {
			if _, err := natsCfg.options("check"); err != nil {
				return err
			}
		}
		if redisCfg := redisConfigOf(cmd); redisCfg.URL != "" {
			client, err := connectRedis(redisCfg, "check")
			if err != nil {
				return err
			}
			_ = client.Close() // it was never connected
		}
		if _, err := databaseURL(cmd); err != nil {
			return err
		}
		if has(cmd, "http") && cmd.String("http") != httpOff {
			if _, err := httpConfigOf(cmd); err != nil {
				return err
			}
		}
		if has(cmd, "partitions") {
			if _, err := tracingWanted(); err != nil {
				return err
			}
			if _, err := streamConfigOf(cmd); err != nil {
				return err
			}
		}
		if has(cmd, "queue-bytes") {
			unconnected := process{instance: "check", channels: channelsOf(cmd)}
			if _, err := unconnected.ingressConfig(ctx, cmd); err != nil {
				return err
			}
		}
		if has(cmd, "spool-bytes") {
			if _, err := spoolConfigOf(cmd); err != nil {
				return err
			}
		}
		if has(cmd, "lag-critical") {
			if _, err := observe.NewJudge(thresholdsOf(cmd)); err != nil {
				return explainSettings(cmd, err)
			}
		}
		warnOfShownSecrets(cmd)
		return action(ctx, cmd)
	}
}

// thresholdsOf reads what health judges by.
func thresholdsOf(cmd *cli.Command) observe.Thresholds {
	return observe.Thresholds{
		StartupGrace: cmd.Duration("startup-grace"), StallAfter: cmd.Duration("stall-after"), QuietAfter: cmd.Duration("quiet-after"), StaleShare: cmd.Float("stale-share"),
		LagWarning: cmd.Duration("lag-warning"), LagCritical: cmd.Duration("lag-critical"),
	}
}

// checkFiles refuses files that cannot be read.
func checkFiles(cmd *cli.Command) error {
	for _, f := range cmd.Flags {
		file, ok := f.(*cli.StringFlag)
		if !ok || !file.TakesFile || file.Name == "data" || file.Name == "spool" { // folders, made where they are missing
			continue
		}
		path := cmd.String(file.Name)
		if path == "" || path == "-" {
			continue
		}
		info, err := os.Stat(path)
		if err == nil && info.IsDir() {
			return flagErrorf(cmd, file.Name, "is %s, a folder: give a file", path)
		}
		if err == nil {
			var opened *os.File
			if opened, err = os.Open(path); err == nil {
				_ = opened.Close() // nothing was read
			}
		}
		if reason, ok := errors.AsType[*fs.PathError](err); ok {
			err = reason.Err
		}
		if err != nil {
			return flagErrorf(cmd, file.Name, "cannot be read: %s: %v", path, err)
		}
	}
	return nil
}

func has(cmd *cli.Command, flag string) bool {
	for _, f := range cmd.Flags {
		if f.Names()[0] == flag {
			return true
		}
	}
	return false
}

// otherNames are the settings of packages that are not called as their flags.
var otherNames = map[string]string{
	"max queue bytes": "queue-bytes", "publish and drain timeout": "drain-timeout",
	"session mode": "session", "market hours": "hours", "http address": "http", "http token": "http-token", "a symbol": "symbol",
}

var settingsPrefix = regexp.MustCompile(`^(?:[a-z]+ (?:settings|thresholds|limits): )+`)

// explainSettings rewrites the error of a package's Validate as one sentence
// that names the flag. Of several faults it tells the first, from which the
// others may follow.
func explainSettings(cmd *cli.Command, err error) error {
	if already, ok := errors.AsType[*exitError](err); ok {
		return already
	}
	message, _, _ := strings.Cut(err.Error(), "\n")
	message = settingsPrefix.ReplaceAllString(message, "")
	begins := func(name string) bool {
		return len(message) > len(name) && strings.EqualFold(message[:len(name)], name) && strings.ContainsRune(" :", rune(message[len(name)]))
	}
	name, flag := "", ""
	for words, f := range otherNames {
		if begins(words) && has(cmd, f) {
			name, flag = words, f
		}
	}
	for _, f := range cmd.Flags {
		if words := strings.ReplaceAll(f.Names()[0], "-", " "); begins(words) && len(words) > len(name) {
			name, flag = words, f.Names()[0]
		}
	}
	if flag == "" {
		return usageErrorf("%s; see %s --help", message, cmd.FullName())
	}
	return usageErrorf("%s%s", flagName(cmd, flag), message[len(name):])
}
