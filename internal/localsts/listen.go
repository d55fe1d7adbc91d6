package localsts

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Running is a handler being served over plain HTTP.
type Running struct {
	URL    string // http://127.0.0.1:PORT
	server *http.Server
	done   chan error
}

// ErrNotLoopback is returned for an address that other machines can reach.
var ErrNotLoopback = errors.New("not a loopback address")

// Start serves the handler at addr ("127.0.0.1:0" takes any free port). An address that is not loopback is refused with
// ErrNotLoopback unless anywhere is true.
func Start(ctx context.Context, addr string, h http.Handler, anywhere bool) (*Running, error) {
	if !anywhere && !isLoopback(addr) {
		return nil, fmt.Errorf("listen on %q: %w", addr, ErrNotLoopback)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", addr, err)
	}
	r := &Running{
		URL:  "http://" + l.Addr().String(),
		done: make(chan error, 1),
		server: &http.Server{
			Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
			WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		},
	}
	go func() { r.done <- r.server.Serve(l) }()
	return r, nil
}

// Close stops at once; requests under way are broken off.
func (r *Running) Close() error {
	err := r.server.Close()
	if e := <-r.done; !errors.Is(e, http.ErrServerClosed) {
		return e
	}
	return err
}

func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// testingT is the part of testing.TB that StartTest needs, so that no test code is linked into the program.
type testingT interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// TestServer is a server being served for the length of a test.
type TestServer struct {
	*Server
	URL string
}

// StartTest serves the accounts on loopback until the test's end. Without accounts it serves Example().
func StartTest(t testingT, opts Options, accounts ...*Account) *TestServer {
	t.Helper()
	if len(accounts) == 0 {
		accounts = Example()
	}
	w, err := NewWorld(accounts...)
	if err != nil {
		t.Fatalf("make the world: %v", err)
	}
	return startWorld(t, w, opts)
}

func startWorld(t testingT, w *World, opts Options) *TestServer {
	t.Helper()
	s, err := New(w, opts)
	if err != nil {
		t.Fatalf("make the server: %v", err)
	}
	r, err := Start(context.Background(), "127.0.0.1:0", s, false)
	if err != nil {
		t.Fatalf("start the server: %v", err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return &TestServer{Server: s, URL: r.URL}
}
