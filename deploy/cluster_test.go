package deploy_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/tickstock/tickstream/cmd/tickstream/certificate"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// nodeOptions reads the configuration of a cluster's node with certificates in
// dir.
func nodeOptions(t *testing.T, dir, name, routes string) *server.Options {
	t.Helper()
	options(t, "2m") // sets what nats.conf takes
	for variable, value := range map[string]string{
		"NATS_SERVER_NAME": name, "NATS_CLUSTER_CA": filepath.Join(dir, certificate.AuthorityFile),
		"NATS_CLUSTER_CERT": filepath.Join(dir, certificate.CertificateFile(name)), "NATS_CLUSTER_KEY": filepath.Join(dir, certificate.KeyFile(name)),
	} {
		t.Setenv(variable, strconv.Quote(value))
	}
	t.Setenv("NATS_ROUTES", routes)
	opts, err := server.ProcessConfigFile("cluster/nats.conf")
	if err != nil {
		t.Fatalf("read cluster/nats.conf: %v", err)
	}
	return opts
}

func certificates(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	nodes := []certificate.Node{{Name: "nats-1", Hosts: []string{"127.0.0.1"}}, {Name: "nats-2", Hosts: []string{"127.0.0.1"}}}
	if err := certificate.Make(filepath.Join(dir, "certificates"), nodes, time.Hour); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "certificates")
}

// A node grants what the single node grants, and no more.
func TestNodeIsTheSingleNodeAndACluster(t *testing.T) {
	node, single := nodeOptions(t, certificates(t), "nats-1", `["nats://nats-1:6222", "nats://nats-2:6222"]`), options(t, "2m")
	if node.ServerName != "nats-1" || node.Cluster.Name != "tickstream" || node.Cluster.Port != 6222 || len(node.Routes) != 2 {
		t.Errorf("%s in %s at %d with routes %v", node.ServerName, node.Cluster.Name, node.Cluster.Port, node.Routes)
	}
	if node.Cluster.TLSConfig == nil || node.Cluster.TLSConfig.ClientAuth != tls.RequireAndVerifyClientCert {
		t.Error("a route needs no certificate")
	}
	if node.JetStreamMaxStore != single.JetStreamMaxStore || node.SyncInterval != single.SyncInterval || node.MaxPayload != single.MaxPayload || node.StoreDir != single.StoreDir {
		t.Error("the limits are others than those of nats.conf")
	}
	if len(node.Users) != len(single.Users) || len(single.Users) != len(secrets) {
		t.Fatalf("%d users, nats.conf has %d", len(node.Users), len(single.Users))
	}
	for i, user := range single.Users {
		if node.Users[i].Username != user.Username || node.Users[i].Password != user.Password || !reflect.DeepEqual(node.Users[i].Permissions, user.Permissions) {
			t.Errorf("user %s may do otherwise than in nats.conf", user.Username)
		}
	}
}

// A node takes a route from who has a certificate of its authority, and from
// nobody else.
func TestRouteIsMutual(t *testing.T) {
	ours, others := certificates(t), certificates(t)
	start := func(dir, name, routes string) *server.Server {
		opts := nodeOptions(t, dir, name, routes)
		opts.Host, opts.Port, opts.HTTPPort = "127.0.0.1", server.RANDOM_PORT, 0
		opts.Cluster.Host, opts.Cluster.Port = "127.0.0.1", server.RANDOM_PORT
		opts.StoreDir, opts.NoSigs, opts.NoLog = t.TempDir(), true, true
		s, err := server.NewServer(opts)
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		return s
	}
	first := start(ours, "nats-1", `["nats://127.0.0.1:1"]`) // nobody is there
	testbed.Eventually(t, 20*time.Second, "the first listens for routes", func(context.Context) bool { return first.ClusterAddr() != nil })
	address := first.ClusterAddr().String()
	for name, certificates := range map[string][]tls.Certificate{"no certificate": nil, "another authority's": {load(t, others)}} {
		err := shake(address, certificates)
		if err == nil || !strings.Contains(err.Error(), "certificate") && !strings.Contains(err.Error(), "unknown") {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
	second := start(ours, "nats-2", fmt.Sprintf("[%q]", "nats://"+address))
	testbed.Eventually(t, 20*time.Second, "a route between two of one authority", func(context.Context) bool {
		return first.NumRoutes() > 0 && second.NumRoutes() > 0
	})
}

func load(t *testing.T, dir string) tls.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, certificate.CertificateFile("nats-2")), filepath.Join(dir, certificate.KeyFile("nats-2")))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// shake opens a route as a node does, up to the first word behind the handshake.
func shake(address string, certificates []tls.Certificate) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // it was refused, or was of use
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, Certificates: certificates}) //nolint:gosec // it is the client that is judged
	if err := secure.Handshake(); err != nil {
		return err
	}
	_, err = secure.Read(make([]byte, 1))
	return err
}

// Each variable of the node's configuration is set by the cluster's compose file,
// each node has its certificate made, and each variable that the file takes is
// in .env.example.
func TestClusterComposeSetsWhatNodesTake(t *testing.T) {
	conf, compose, example := read(t, "cluster/nats.conf")+read(t, "../nats.conf"), read(t, "cluster/docker-compose.yml"), read(t, "../.env.example")
	names := regexp.MustCompile(`(?m)^[^#\n"]*:\s*\$([A-Z_]+)`).FindAllStringSubmatch(conf, -1)
	if len(names) < 9 {
		t.Fatalf("found %d variables, want at least 9", len(names))
	}
	for _, match := range names {
		if !regexp.MustCompile(`(?m)^\s+` + match[1] + `: `).MatchString(compose) {
			t.Errorf("the compose file does not set %s", match[1])
		}
	}
	for _, node := range []string{"nats", "nats-2", "nats-3"} {
		for _, text := range []string{
			`NATS_SERVER_NAME: '"` + node + `"'`, `"nats://` + node + `:6222"`, "/certificates/" + node + ".pem", "/certificates/" + node + "-key.pem",
		} {
			if !strings.Contains(compose, text) {
				t.Errorf("%s: the compose file has no %s", node, text)
			}
		}
		if made := regexp.MustCompile(`"certificates", "--out", .*"` + node + `"`); !made.MatchString(compose) {
			t.Errorf("no certificate is made for %s", node)
		}
	}
	for _, user := range []string{"bridge", "pipeline", "health"} {
		if !regexp.MustCompile(`"nats://` + user + `:[^@]+@nats:4222,nats://` + user + `:[^@]+@nats-2:4222,nats://` + user + `:[^@]+@nats-3:4222"`).MatchString(compose) {
			t.Errorf("%s does not know all nodes", user)
		}
	}
	for _, match := range regexp.MustCompile(`(?:^|[^$])\$\{([A-Z_0-9]+)`).FindAllStringSubmatch(compose, -1) {
		if !regexp.MustCompile(`(?m)^#?` + match[1] + `=`).MatchString(example) {
			t.Errorf(".env.example does not mention %s", match[1])
		}
	}
}
