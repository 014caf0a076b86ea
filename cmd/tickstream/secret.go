package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/tickstock/tickstream/pipeline/bounded"
	"github.com/urfave/cli/v3"
)

// maxSmallFile is more than any secret or certificate has, in bytes.
const maxSmallFile = 1 << 20

// secretFlags are the flags whose values can hold a secret, and their variables.
var secretFlags = map[string]string{
	"nats": "NATS_URL", "redis": "REDIS_URL", "database": "DATABASE_URL",
	"http-token": "TICKSTREAM_HTTP_TOKEN", "to-nats": "TICKSTREAM_REPLAY_TO_NATS",
}

// secretFromEnv takes a value from the variable of that name, or from the file
// that <name>_FILE names, as Docker and Kubernetes hand secrets out.
func secretFromEnv(key string) cli.ValueSourceChain {
	return cli.NewValueSourceChain(envSource{key}, secretFile{key + "_FILE"})
}

// secretFile is a setting in the file that a variable names. What is wrong with
// it, [checkSecrets] tells: a source cannot.
type secretFile struct{ key string }

var _ cli.ValueSource = secretFile{}

func (s secretFile) Lookup() (string, bool) {
	value, err := s.read()
	return value, err == nil && value != ""
}

func (s secretFile) String() string   { return "file named by " + s.key }
func (s secretFile) GoString() string { return fmt.Sprintf("secretFile{%q}", s.key) }

// read returns what the file holds; nothing where the variable is not set.
func (s secretFile) read() (string, error) {
	path, set := envSource(s).Lookup()
	if !set {
		return "", nil
	}
	content, err := bounded.File(path, maxSmallFile)
	if err != nil {
		if reason, ok := errors.AsType[*fs.PathError](err); ok {
			err = reason.Err
		}
		return "", fmt.Errorf("%s (%s) cannot be read: %w", s.key, path, err)
	}
	value := strings.TrimSpace(string(content))
	if value == "" {
		return "", fmt.Errorf("%s (%s) is empty: put the value into the file, or leave the variable out", s.key, path)
	}
	return value, nil
}

// checkSecrets refuses files of secrets that cannot be used, and what is given
// twice, where nobody could say which holds.
func checkSecrets(cmd *cli.Command) error {
	for _, f := range cmd.Flags {
		key, secret := secretFlags[f.Names()[0]]
		if !secret {
			continue
		}
		value, err := secretFile{key + "_FILE"}.read()
		if err != nil {
			return usageErrorf("%w", err)
		}
		if _, both := (envSource{key}).Lookup(); both && value != "" {
			return usageErrorf("%s and %s_FILE are both set: leave one out", key, key)
		}
	}
	return nil
}

// shownSecrets are the flags among args whose values hold a secret, which every
// user of the machine can read in its list of processes.
func shownSecrets(args []string) []string {
	var shown []string
	for i, arg := range args {
		name, value, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if _, secret := secretFlags[name]; !secret || !strings.HasPrefix(arg, "-") {
			continue
		}
		if !hasValue && i+1 < len(args) {
			value = args[i+1]
		}
		if name == "http-token" || holdsSecret(value) {
			shown = append(shown, name)
		}
	}
	return shown
}

// holdsSecret is whether a connection setting seems to hold a password or a
// token.
func holdsSecret(value string) bool {
	for part := range strings.SplitSeq(value, ",") {
		scheme, _, userinfo := cutUserinfo(part)
		if !userinfo {
			continue
		}
		user := part[len(scheme):strings.LastIndex(part, "@")]
		// NATS takes a user without a password for a token.
		if strings.Contains(user, ":") || !strings.HasPrefix(scheme, "postgres") && !strings.HasPrefix(scheme, "redis") {
			return true
		}
	}
	return strings.Contains(value, "password=")
}

// warnOfShownSecrets says what is better kept off the command line.
func warnOfShownSecrets(cmd *cli.Command) {
	args, _ := cmd.Root().Metadata[argsKey].([]string)
	for _, name := range shownSecrets(args) {
		key := secretFlags[name]
		logger(cmd).Warn("a secret on the command line shows in every list of processes: set "+key+" or "+key+"_FILE instead", "flag", "--"+name)
	}
}

// argsKey is where the root command keeps the command line.
const argsKey = "args"
