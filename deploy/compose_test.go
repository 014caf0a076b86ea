package deploy_test

import (
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// container is what the tests look at of a service of docker-compose.yml.
type container struct {
	Command     any
	Environment map[string]string
	Volumes     []string
	Ports       []string
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	SecurityOpt []string `yaml:"security_opt"`
	User        string
}

func compose(t *testing.T) map[string]container {
	t.Helper()
	var file struct{ Services map[string]container }
	if err := yaml.Unmarshal([]byte(read(t, "../docker-compose.yml")), &file); err != nil {
		t.Fatalf("parse docker-compose.yml: %v", err)
	}
	return file.Services
}

// A role holds the secrets that it works with and no other's.
func TestRolesHoldTheirOwnSecrets(t *testing.T) {
	secret := regexp.MustCompile(`\$\{([A-Z0-9_]*(?:PASSWORD|TOKEN))`)
	for name, want := range map[string][]string{
		"bridge":   {"METRICS_TOKEN", "NATS_BRIDGE_PASSWORD", "REDIS_BRIDGE_PASSWORD"}, // no DATABASE_URL: it cannot read the database
		"pipeline": {"METRICS_TOKEN", "NATS_PIPELINE_PASSWORD", "POSTGRES_PASSWORD"},
		"health":   {"HTTP_TOKEN", "NATS_HEALTH_PASSWORD", "POSTGRES_PASSWORD", "REDIS_HEALTH_PASSWORD"},
	} {
		role, ok := compose(t)[name]
		if !ok {
			t.Fatalf("there is no %s", name)
		}
		var holds []string
		for _, value := range role.Environment {
			for _, m := range secret.FindAllStringSubmatch(value, -1) {
				holds = append(holds, m[1])
			}
		}
		slices.Sort(holds)
		holds = slices.Compact(holds)
		if !slices.Equal(holds, want) {
			t.Errorf("%s holds %q, want %q", name, holds, want)
		}
		if _, has := role.Environment["DATABASE_URL"]; has != (name != "bridge") {
			t.Errorf("%s: whether it is led to the database is %v", name, has)
		}
		if text, ok := role.Command.([]any); !ok || strings.Contains(strings.Join(words(text), " "), "${") {
			t.Errorf("%s: the command line %v holds what it should take from the environment", name, role.Command)
		}
	}
}

func words(list []any) []string {
	var words []string
	for _, word := range list {
		if s, ok := word.(string); ok {
			words = append(words, s)
		}
	}
	return words
}

func TestContainersAreHardened(t *testing.T) {
	services := compose(t)
	for _, name := range slices.Sorted(maps.Keys(services)) {
		s := services[name]
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s is not hardened: %+v", name, s)
		}
		if s.User == "" || strings.HasPrefix(s.User, "0:") && name != "nats-volume" {
			t.Errorf("%s runs as user %q", name, s.User)
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") && !strings.HasPrefix(port, "${BIND_ADDRESS:-127.0.0.1}:") {
				t.Errorf("%s publishes %s beyond loopback", name, port)
			}
		}
	}
}

// redisConfiguration is what docker-compose.yml has Redis read, with each
// user's name, doubled, as its password.
func redisConfiguration(t *testing.T) string {
	t.Helper()
	redis := compose(t)["redis"]
	command, ok := redis.Command.([]any)
	if !ok || len(command) != 3 {
		t.Fatalf("the command of redis is %v", redis.Command)
	}
	acl, err := filepath.Abs("redis-users.acl")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(redis.Volumes, "./deploy/redis-users.acl:/etc/redis/users.acl:ro") {
		t.Fatalf("the users are not mounted: %q", redis.Volumes)
	}
	script := strings.NewReplacer("$$", "$", "exec redis-server -", "exec cat", "/etc/redis/users.acl", "'"+acl+"'", "dir /data", "dir {dir}").
		Replace(words(command)[2])
	shell := exec.CommandContext(t.Context(), "sh", "-c", script)
	for _, user := range []string{"bridge", "health", "operator"} {
		shell.Env = append(shell.Env, "REDIS_"+strings.ToUpper(user)+"_PASSWORD="+user+user)
	}
	shell.Env = append(shell.Env, "REDISCLI_AUTH=defaultdefault", "PATH=/usr/bin:/bin")
	configuration, err := shell.Output()
	if err != nil {
		t.Fatalf("run redis's script: %v", err)
	}
	return string(configuration)
}

func TestRedisUsersHavePasswords(t *testing.T) {
	configuration := redisConfiguration(t)
	for _, user := range []string{"default", "bridge", "health", "operator"} {
		line := regexp.MustCompile(`(?m)^user ` + user + ` on .* >` + user + user + `$`)
		if found := line.FindAllString(configuration, -1); len(found) != 1 {
			t.Errorf("%s: lines are %q in\n%s", user, found, configuration)
		} else if strings.Contains(found[0], "nopass") {
			t.Errorf("%s needs no password", user)
		}
	}
	if n := len(regexp.MustCompile(`(?m)^user `).FindAllString(configuration, -1)); n != 4 {
		t.Errorf("there are %d users, want 4", n)
	}
	if !strings.Contains(configuration, "appendonly yes") {
		t.Errorf("the rest of the configuration is lost:\n%s", configuration)
	}
	for _, user := range []string{"bridge", "health"} {
		line := regexp.MustCompile(`(?m)^user ` + user + ` .*$`).FindString(configuration)
		for _, wide := range []string{"+@", "allkeys", "allchannels", "allcommands", "~*", "&*", "&tickstock:* ", "nocommands"} {
			if strings.Contains(line, wide) {
				t.Errorf("%s may %s", user, wide)
			}
		}
	}
}
