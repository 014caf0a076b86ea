package bridge

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"

	"github.com/tickstock/tickstream/bridge/spool"
)

// Spool is where ticks wait on disk while JetStream does not take them.
type Spool struct {
	spool   *spool.Spool
	names   *alignment
	behind  place
	waiting int64
	damaged int64 // bytes that could not be read
}

// maxSpools is how many bridges of one source may spool below one folder.
const maxSpools = 16

// OpenSpool opens the spool of cfg's source below a folder, and what an earlier
// bridge left in it. Bridges that share a folder have a place of their own each.
// The caller closes it when the [Ingress] has ended.
func OpenSpool(cfg Config, disk spool.Config, log *slog.Logger) (*Spool, error) {
	cfg = cfg.withDefaults()
	sum := sha256.Sum256([]byte(cfg.Channel))
	s := &Spool{names: newAlignment()}
	disk.Visit = s.names.restore
	base := disk.Dir
	var found spool.Recovery
	for n := range maxSpools {
		var err error
		disk.Dir = filepath.Join(base, hex.EncodeToString(sum[:6])+"-"+strconv.Itoa(n))
		s.spool, found, err = spool.Open(disk)
		if errors.Is(err, spool.ErrInUse) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("open the spool: %w", err)
		}
		break
	}
	if s.spool == nil {
		return nil, fmt.Errorf("open the spool: %s: %w; give each bridge a folder of its own", base, spool.ErrInUse)
	}
	s.names.begin()
	s.behind, s.waiting, s.damaged = decodePlace(found.Meta), found.Records[tickRecord], found.DamagedBytes
	if s.waiting > 0 {
		log.Info("took up what was spooled", "ticks", s.waiting, "folder", disk.Dir)
	}
	if found.TornBytes > 0 {
		log.Warn("the spool ends in a record that was not written whole", "bytes", found.TornBytes, "folder", disk.Dir)
	}
	if found.DamagedBytes > 0 {
		log.Error("a part of the spool cannot be read and is lost", "bytes", found.DamagedBytes, "folder", disk.Dir)
	}
	return s, nil
}

// Close gives the folder free. What waits in it is for the next bridge.
func (s *Spool) Close() error {
	if err := s.spool.Close(); err != nil {
		return fmt.Errorf("close the spool: %w", err)
	}
	return nil
}
