// Asks one address over kept-alive HTTP/1.1 connections, either as fast as it answers (closed loop) or at a given rate
// whatever it does (open loop), and prints one JSON object. In an open loop a request's time runs from when it was due,
// so that a server that stands still is not asked less: the time that it let others wait counts.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type result struct {
	PerSecond      float64 `json:"perSecond"`
	BytesPerSecond float64 `json:"bytesPerSecond"`
	P50            float64 `json:"p50Milliseconds"`
	P99            float64 `json:"p99Milliseconds"`
	Most           float64 `json:"mostMilliseconds"`
	Answered       int     `json:"answered"`
	Failed         int     `json:"failed"`
	FirstFailure   string  `json:"firstFailure,omitempty"`
}

var (
	address     = flag.String("url", "", "http(s)://host:port/path")
	authority   = flag.String("ca", "", "file of the certificate authority, PEM")
	token       = flag.String("token-file", "", "file whose content is sent as bearer token")
	cookie      = flag.String("cookie-file", "", "file whose content is sent as cookie")
	connections = flag.Int("connections", 32, "kept-alive connections")
	seconds     = flag.Float64("seconds", 2, "how long; 0: once on each connection")
	rate        = flag.Float64("rate", 0, "requests a second in an open loop; 0: a closed loop")
	upload      = flag.Int64("upload", 0, "bytes of a POST body; 0: a GET")
	expect      = flag.Int("status", 200, "any other status is a failure")
)

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	target, err := url.Parse(*address)
	if err != nil {
		return err
	}
	request, err := requestOf(target)
	if err != nil {
		return err
	}
	dial, err := dialerOf(target)
	if err != nil {
		return err
	}
	clients := make([]*client, *connections)
	for i := range clients {
		connection, err := dial()
		if err != nil {
			return err
		}
		clients[i] = &client{connection: connection, reader: bufio.NewReaderSize(connection, 64<<10), dial: dial}
	}
	var next atomic.Int64
	begun := time.Now()
	end := begun.Add(time.Duration(*seconds * float64(time.Second)))
	var wait sync.WaitGroup
	for _, each := range clients {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for {
				due := time.Now()
				if *rate > 0 {
					// Whichever connection is free takes what is due next.
					due = begun.Add(time.Duration(float64(next.Add(1)-1) / *rate * float64(time.Second)))
					time.Sleep(time.Until(due))
				}
				if *seconds > 0 && !due.Before(end) {
					return
				}
				each.ask(request, due)
				if *seconds == 0 {
					return
				}
			}
		}()
	}
	wait.Wait()
	elapsed := time.Since(begun).Seconds()
	var all result
	var times []time.Duration
	for _, each := range clients {
		times = append(times, each.times...)
		all.Failed += each.failed
		all.BytesPerSecond += float64(each.bytes) / elapsed
		if all.FirstFailure == "" && each.failure != nil {
			all.FirstFailure = each.failure.Error()
		}
	}
	slices.Sort(times)
	all.Answered = len(times)
	all.PerSecond = float64(len(times)) / elapsed
	all.P50, all.P99, all.Most = quantile(times, 0.5), quantile(times, 0.99), quantile(times, 1)
	return json.NewEncoder(os.Stdout).Encode(all)
}

func quantile(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(float64(len(sorted))*q))].Seconds() * 1000
}

func requestOf(target *url.URL) ([]byte, error) {
	var head strings.Builder
	method := "GET"
	if *upload > 0 {
		method = "POST"
	}
	fmt.Fprintf(&head, "%s %s HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\n", method, target.RequestURI(), target.Host)
	for _, each := range []struct{ file, before string }{{*token, "Authorization: Bearer "}, {*cookie, "Cookie: "}} {
		if each.file == "" {
			continue
		}
		value, err := os.ReadFile(each.file)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&head, "%s%s\r\n", each.before, bytes.TrimSpace(value))
	}
	if *upload > 0 {
		fmt.Fprintf(&head, "Content-Type: application/octet-stream\r\nContent-Length: %d\r\n", *upload)
	}
	head.WriteString("\r\n")
	return []byte(head.String()), nil
}

func dialerOf(target *url.URL) (func() (net.Conn, error), error) {
	if target.Scheme == "http" {
		return func() (net.Conn, error) { return net.Dial("tcp", target.Host) }, nil
	}
	pem, err := os.ReadFile(*authority)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in " + *authority)
	}
	config := &tls.Config{RootCAs: roots, ServerName: target.Hostname(), NextProtos: []string{"http/1.1"}}
	return func() (net.Conn, error) {
		connection, err := tls.Dial("tcp", target.Host, config)
		if err != nil {
			return nil, err
		}
		return connection, nil
	}, nil
}

// One connection, which is opened again when it breaks or the server ends it.
type client struct {
	connection net.Conn
	reader     *bufio.Reader
	dial       func() (net.Conn, error)
	times      []time.Duration
	bytes      int64
	failed     int
	failure    error
}

var piece = bytes.Repeat([]byte{7}, 256<<10)

func (c *client) ask(request []byte, due time.Time) {
	last, err := c.exchange(request)
	if err != nil {
		c.failed++
		c.failure = err
	} else {
		c.times = append(c.times, time.Since(due))
	}
	if err != nil || last {
		c.connection.Close()
		connection, err := c.dial()
		if err != nil {
			c.failure = err
			time.Sleep(10 * time.Millisecond)
			return
		}
		c.connection = connection
		c.reader.Reset(connection)
	}
}

// Whether the server ends the connection with this answer.
func (c *client) exchange(request []byte) (bool, error) {
	if _, err := c.connection.Write(request); err != nil {
		return true, err
	}
	for left := *upload; left > 0; {
		written, err := c.connection.Write(piece[:min(left, int64(len(piece)))])
		if err != nil {
			return true, err
		}
		left -= int64(written)
	}
	status, length, chunked, last := 0, int64(-1), false, false
	for first := true; ; first = false {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return true, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if first {
			if len(line) < 12 {
				return true, fmt.Errorf("no status line: %q", line)
			}
			status, _ = strconv.Atoi(string(line[9:12]))
			continue
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("content-length")):
			length, err = strconv.ParseInt(string(value), 10, 64)
			if err != nil {
				return true, err
			}
		case bytes.EqualFold(name, []byte("transfer-encoding")):
			chunked = true
		case bytes.EqualFold(name, []byte("connection")):
			last = bytes.EqualFold(value, []byte("close"))
		}
	}
	if chunked {
		if err := c.skipChunks(); err != nil {
			return true, err
		}
	} else if length > 0 {
		read, err := io.CopyN(io.Discard, c.reader, length)
		c.bytes += read
		if err != nil {
			return true, err
		}
	} else if length < 0 && status != 204 {
		return true, errors.New("an answer without a length")
	}
	c.bytes += *upload
	if status != *expect {
		return last, fmt.Errorf("status %d", status)
	}
	return last, nil
}

func (c *client) skipChunks() error {
	for {
		line, err := c.reader.ReadString('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(strings.TrimSpace(line), 16, 64)
		if err != nil {
			return err
		}
		read, err := io.CopyN(io.Discard, c.reader, size)
		c.bytes += read
		if err != nil {
			return err
		}
		if _, err := c.reader.ReadString('\n'); err != nil {
			return err
		}
		if size == 0 {
			return nil
		}
	}
}
