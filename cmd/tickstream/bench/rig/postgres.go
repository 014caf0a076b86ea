package rig

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// postgresBin is the folder of PostgreSQL's programs; empty where it is not
// installed. Debian keeps them out of the path.
func postgresBin() string {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is sound
	if len(found) == 0 {
		return ""
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1])
}

// makePostgres makes a PostgreSQL of the system's own. It refuses to run as
// root, who runs it as the user that its package made.
func (s *System) makePostgres() error {
	bin := postgresBin()
	if bin == "" {
		return fmt.Errorf("find PostgreSQL: initdb is neither in the path nor below /usr/lib/postgresql")
	}
	folder := filepath.Join(s.cfg.Dir, "postgres")
	if err := os.Mkdir(folder, 0o700); err != nil {
		return fmt.Errorf("make the folder of PostgreSQL: %w", err)
	}
	who, err := notRoot("postgres", s.cfg.Dir, folder)
	if err != nil {
		return err
	}
	data := filepath.Join(folder, "data")
	make := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-A", "trust", "-U", "tickstream", "-E", "UTF8", "--no-sync") //nolint:gosec,noctx // PostgreSQL's own, seconds
	make.Dir = folder
	who(make)
	if out, err := make.CombinedOutput(); err != nil {
		return fmt.Errorf("make a database: %w: %s", err, out)
	}
	address, err := FreeAddress()
	if err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(address)
	// Its own crash is to be outlived, not the machine's.
	s.Postgres, err = s.process("postgres", filepath.Join(bin, "postgres"), "-D", data, "-p", port, "-k", folder, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off")
	if err != nil {
		return err
	}
	s.Postgres.prepare, s.Postgres.stop, s.Postgres.stubborn = who, interrupt, true
	s.DatabaseURL = "postgres://tickstream@" + address + "/postgres?sslmode=disable"
	return nil
}
