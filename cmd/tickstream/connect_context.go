package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tickstock/tickstream/pipeline/bounded"
	"github.com/urfave/cli/v3"
)

// natsContext is a context as the nats CLI keeps it.
type natsContext struct {
	URL         string `json:"url"`
	User        string `json:"user"`
	Password    string `json:"password"`
	Token       string `json:"token"`
	Creds       string `json:"creds"`
	NKey        string `json:"nkey"`
	UserJWT     string `json:"user_jwt"`
	UserSeed    string `json:"user_seed"`
	Cert        string `json:"cert"`
	Key         string `json:"key"`
	CA          string `json:"ca"`
	TLSFirst    bool   `json:"tls_first"`
	InboxPrefix string `json:"inbox_prefix"`

	// What tickstream does not do, and so refuses.
	NSC       string `json:"nsc"`
	SOCKS     string `json:"socks_proxy"`
	Domain    string `json:"jetstream_domain"`
	APIPrefix string `json:"jetstream_api_prefix"`
	CertStore string `json:"windows_cert_store"`
}

// contextFlag is --context, which nats CLI's own variable sets too.
func contextFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "context", Sources: fromEnv("NATS_CONTEXT"), Category: categoryConnection,
		Usage: "`NAME` of a context of the nats CLI (nats context ls), in place of --nats and its credentials",
	}
}

// contextOf is the context to connect by; the empty string for none. What is on
// the command line goes before what is in the environment.
func contextOf(cmd *cli.Command) (string, error) {
	name := cmd.String("context")
	if name == "" {
		return "", nil
	}
	given := isGiven(cmd.Root(), []string{"context"})
	for _, other := range []string{"nats", "nats-creds", "nats-nkey", "nats-ca", "nats-cert", "nats-key"} {
		if !cmd.IsSet(other) {
			continue
		}
		switch otherGiven := isGiven(cmd.Root(), []string{other}); {
		case otherGiven && !given:
			return "", nil
		case otherGiven == given:
			return "", usageErrorf("%s and %s both say how to reach NATS: leave one out", flagName(cmd, "context"), flagName(cmd, other))
		}
	}
	return name, nil
}

// contextConfig reads a context.
func contextConfig(name string) (natsConfig, error) {
	folder, err := contextFolder()
	if err != nil {
		return natsConfig{}, err
	}
	if name != filepath.Base(name) || name == "." || name == ".." {
		return natsConfig{}, errors.New("that is no name of a context: give one that nats context ls shows")
	}
	content, err := bounded.File(filepath.Join(folder, name+".json"), maxSmallFile)
	if errors.Is(err, fs.ErrNotExist) {
		return natsConfig{}, fmt.Errorf("there is no such context in %s%s", folder, known(folder))
	}
	if err != nil {
		return natsConfig{}, err
	}
	var c natsContext
	if err := json.Unmarshal(content, &c); err != nil {
		return natsConfig{}, fmt.Errorf("the context cannot be read: %w", err)
	}
	if err := c.check(); err != nil {
		return natsConfig{}, err
	}
	return natsConfig{
		Context: name, URL: c.servers(), InboxPrefix: c.InboxPrefix, TLSFirst: c.TLSFirst,
		Creds: localPath(c.Creds), NKey: localPath(c.NKey), JWT: c.UserJWT, Seed: c.UserSeed,
		TLS: tlsFiles{CA: localPath(c.CA), Cert: localPath(c.Cert), Key: localPath(c.Key)},
	}, nil
}

// contextFolder is where the nats CLI keeps contexts, on every system.
func contextFolder() (string, error) {
	parent := os.Getenv("XDG_CONFIG_HOME")
	if parent == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("look for contexts: %w", err)
		}
		parent = filepath.Join(home, ".config")
	}
	return filepath.Join(parent, "nats", "context"), nil
}

// known says which contexts there are.
func known(folder string) string {
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(files) == 0 {
		return ": make one by nats context add"
	}
	for i, file := range files {
		files[i] = strings.TrimSuffix(filepath.Base(file), ".json")
	}
	return ", which has " + strings.Join(files[:min(len(files), 10)], ", ")
}

// check refuses what would be ignored.
func (c natsContext) check() error {
	for _, field := range [][2]string{
		{"nsc", c.NSC}, {"socks_proxy", c.SOCKS}, {"jetstream_domain", c.Domain}, {"jetstream_api_prefix", c.APIPrefix}, {"windows_cert_store", c.CertStore},
	} {
		if field[1] != "" {
			return fmt.Errorf("it has a %s, which tickstream does not use: take that out, or give --nats and its credentials instead", field[0])
		}
	}
	for _, field := range [][2]string{
		{"creds", c.Creds}, {"nkey", c.NKey}, {"ca", c.CA}, {"cert", c.Cert}, {"key", c.Key},
		{"user_jwt", c.UserJWT}, {"user_seed", c.UserSeed}, {"password", c.Password}, {"token", c.Token},
	} {
		scheme, _, _ := strings.Cut(field[1], ":")
		if slices.Contains([]string{"op", "env", "nsc", "data"}, scheme) {
			return fmt.Errorf("its %s is kept elsewhere (%s:…), where tickstream does not look: put it into the context or into a file", field[0], scheme)
		}
	}
	if (c.UserJWT == "") != (c.UserSeed == "") {
		return errors.New("user_jwt and user_seed go together: give both")
	}
	return nil
}

// servers are the context's URLs with its user, where they have none.
func (c natsContext) servers() string {
	urls := strings.Split(cmp.Or(c.URL, defaultNATSURL), ",")
	var login *url.Userinfo
	switch {
	case c.User != "":
		login = url.UserPassword(c.User, c.Password)
	case c.Token != "":
		login = url.User(c.Token)
	default:
		return strings.Join(urls, ",")
	}
	for i, server := range urls {
		server = strings.TrimSpace(server)
		if !strings.Contains(server, "://") {
			server = "nats://" + server
		}
		if u, err := url.Parse(server); err == nil && u.User == nil { // what is no URL is said by natsUser
			u.User = login
			server = u.String()
		}
		urls[i] = server
	}
	return strings.Join(urls, ",")
}

// localPath is the file that a context names.
func localPath(path string) string {
	path = os.ExpandEnv(strings.TrimPrefix(path, "file://"))
	if rest, ok := strings.CutPrefix(path, "~"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return home + rest
		}
	}
	return path
}
