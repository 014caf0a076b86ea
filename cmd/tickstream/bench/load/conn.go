package load

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
)

// conn is a socket to Redis on which commands are published without waiting for
// their replies.
type conn struct {
	socket  net.Conn
	out     []byte
	replies atomic.Int64
	unheard atomic.Int64 // replies that tell of no receiver
}

func dial(ctx context.Context, to string) (*conn, error) {
	u, err := url.Parse(to)
	if err != nil || u.Host == "" || u.Scheme != "redis" && u.Scheme != "rediss" {
		return nil, errors.New("the load speaks to redis://host:port and rediss://host:port only")
	}
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), "6379")
	}
	var socket net.Conn
	dialer := net.Dialer{Timeout: 5 * time.Second}
	if u.Scheme == "rediss" {
		socket, err = (&tls.Dialer{NetDialer: &dialer, Config: &tls.Config{MinVersion: tls.VersionTLS12}}).DialContext(ctx, "tcp", address)
	} else {
		socket, err = dialer.DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to Redis at %s: %w", address, err)
	}
	c := &conn{socket: socket}
	if password, ok := u.User.Password(); ok {
		if err := c.authenticate(u.User.Username(), password); err != nil {
			c.close()
			return nil, err
		}
	}
	return c, nil
}

func (c *conn) authenticate(user, password string) error {
	args := []string{"AUTH"}
	if user != "" {
		args = append(args, user)
	}
	c.command(append(args, password)...)
	if err := c.flush(); err != nil {
		return err
	}
	reply := make([]byte, 512)
	n, err := c.socket.Read(reply)
	if err != nil {
		return fmt.Errorf("authenticate at Redis: %w", err)
	}
	if !bytes.HasPrefix(reply[:n], []byte("+OK")) {
		return errors.New("authenticate at Redis: it refuses the user or the password of the URL")
	}
	return nil
}

func (c *conn) command(args ...string) {
	c.out = append(strconv.AppendInt(append(c.out, '*'), int64(len(args)), 10), "\r\n"...)
	for _, arg := range args {
		c.out = append(bulk(c.out, len(arg)), arg...)
		c.out = append(c.out, "\r\n"...)
	}
}

func bulk(out []byte, length int) []byte {
	return append(strconv.AppendInt(append(out, '$'), int64(length), 10), "\r\n"...)
}

// publish queues a command.
func (c *conn) publish(channel string, payload []byte) {
	c.out = append(c.out, "*3\r\n$7\r\nPUBLISH\r\n"...)
	c.out = append(bulk(c.out, len(channel)), channel...)
	c.out = append(c.out, "\r\n"...)
	c.out = append(bulk(c.out, len(payload)), payload...)
	c.out = append(c.out, "\r\n"...)
}

// flush sends what is queued.
func (c *conn) flush() error {
	_, err := c.socket.Write(c.out)
	c.out = c.out[:0]
	if err != nil {
		return fmt.Errorf("send to Redis: %w", err)
	}
	return nil
}

// readReplies counts them until the connection is closed.
func (c *conn) readReplies() error {
	in := bufio.NewReaderSize(c.socket, 64<<10)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("it closed the connection")
			}
			return fmt.Errorf("read from Redis: %w", err)
		}
		if line[0] != ':' {
			return fmt.Errorf("publish to Redis: it answers %q", bytes.TrimSpace(line))
		}
		if line[1] == '0' {
			c.unheard.Add(1)
		}
		c.replies.Add(1)
	}
}

func (c *conn) close() { _ = c.socket.Close() } // all replies are read
