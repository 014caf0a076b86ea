package bridge_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tickstock/tickstream/bridge"
)

func TestReadAheadGivesAllBytesInOrder(t *testing.T) {
	here, there := net.Pipe()
	ahead := bridge.ReadAhead(here, 1<<20)
	random := rand.New(rand.NewPCG(1, 2))
	sent := make([]byte, 3<<20)
	for i := range sent {
		sent[i] = byte(random.Uint32())
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for rest := sent; len(rest) > 0; {
			n := min(len(rest), 1+random.IntN(100_000))
			if _, err := there.Write(rest[:n]); err != nil {
				t.Errorf("write: %v", err)
				return
			}
			rest = rest[n:]
		}
		_ = there.Close() // ends the reading
	})
	got, err := io.ReadAll(ahead)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("read %d bytes, %v; sent %d", len(got), err, len(sent))
	}
	wg.Wait()
}

func TestReadAheadTakesBytesThatNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		ahead := bridge.ReadAhead(here, 1000)
		written := 0
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				n, err := there.Write(make([]byte, 100))
				written += n
				if err != nil {
					return
				}
			}
		})
		synctest.Wait()
		if written != 1000 {
			t.Errorf("%d bytes taken unread, want the limit of 1000", written)
		}
		if n, err := ahead.Read(make([]byte, 300)); n != 300 || err != nil {
			t.Errorf("read %d, %v", n, err)
		}
		synctest.Wait()
		if written < 1200 {
			t.Errorf("%d bytes taken after 300 were read", written)
		}
		if err := ahead.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
	})
}

func TestReadAheadKeepsDeadlinesAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		ahead := bridge.ReadAhead(here, 1000)
		began := time.Now()
		if err := ahead.SetReadDeadline(began.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := ahead.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("read = %v after %v, want the deadline after 1s", err, time.Since(began))
		}
		if err := ahead.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := ahead.Read(make([]byte, 1))
			done <- err
		}()
		synctest.Wait()
		if err := ahead.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err == nil {
			t.Error("read on a closed connection succeeded")
		}
		_ = there.Close() // only to end the pipe
	})
}
