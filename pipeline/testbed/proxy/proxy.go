// Package proxy stands between two processes as a TCP proxy that can be broken.
package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Proxy is a TCP proxy on loopback.
type Proxy struct {
	target   string
	listener net.Listener
	wg       sync.WaitGroup

	mu     sync.Mutex
	cut    bool
	closed bool
	conns  map[net.Conn]bool
	flow   chan struct{} // closed while bytes flow
}

// Start forwards to target, a host and port, until [Proxy.Close].
func Start(target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the proxy: %w", err)
	}
	p := &Proxy{target: target, listener: listener, conns: map[net.Conn]bool{}, flow: make(chan struct{})}
	close(p.flow)
	p.wg.Go(p.accept) // ends with the listener
	return p, nil
}

// Addr is where the proxy listens, host and port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut closes every connection, and each new one as soon as it is made.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	p.drop()
}

// Stall keeps connections and accepts new ones, but forwards nothing.
func (p *Proxy) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.flow:
		p.flow = make(chan struct{})
	default: // stalled already
	}
}

// Restore ends both: what was held back in a stall is forwarded.
func (p *Proxy) Restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
	p.open()
}

func (p *Proxy) open() {
	select {
	case <-p.flow:
	default:
		close(p.flow)
	}
}

func (p *Proxy) drop() {
	for conn := range p.conns {
		_ = conn.Close() // being dropped is the point
	}
	clear(p.conns)
}

// Close ends all.
func (p *Proxy) Close() {
	_ = p.listener.Close() // closed once, here
	p.mu.Lock()
	p.closed = true
	p.drop()
	p.open()
	p.mu.Unlock()
	p.wg.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // one connection's fault
		}
		p.wg.Go(func() { p.serve(client) }) // ends with either connection
	}
}

func (p *Proxy) serve(client net.Conn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = client.Close() // the client sees what a server that is away looks like
		return
	}
	p.mu.Lock()
	broken := p.cut || p.closed
	if !broken {
		p.conns[client], p.conns[server] = true, true
	}
	p.mu.Unlock()
	end := func() {
		_ = client.Close()
		_ = server.Close() // either end ends both
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, client)
		delete(p.conns, server)
	}
	if broken {
		end()
		return
	}
	p.wg.Go(func() { defer end(); p.forward(server, client) })
	defer end()
	p.forward(client, server)
}

// forward copies until either end closes, holding bytes back in a stall.
func (p *Proxy) forward(to io.Writer, from io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		flow := p.flow
		p.mu.Unlock()
		<-flow
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
