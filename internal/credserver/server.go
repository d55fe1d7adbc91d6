// Package credserver is the container-credentials endpoint on loopback: what
// every AWS SDK asks when AWS_CONTAINER_CREDENTIALS_FULL_URI is set.
//
// An answer is given only to a caller who holds the token, on a request that no
// web page can make. Credentials are refreshed ahead of the SDKs' own windows,
// one call at a time however many ask, and a refresh that fails is answered as
// an error: never with what was there before, and never with nothing.
package credserver

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Limits of one request and of the server. A request of an SDK is a few hundred
// bytes and answered within milliseconds once a session is at hand.
const (
	maxHeaderBytes = 8 << 10
	readTimeout    = 5 * time.Second
	idleTimeout    = 30 * time.Second
	maxConns       = 256
	drainTimeout   = 5 * time.Second

	// DefaultRefreshTimeout bounds one call for credentials. It is longer than
	// the 2 seconds that botocore waits: its next attempt finds the same call.
	DefaultRefreshTimeout = 60 * time.Second
)

// A Provider gives credentials. It renews unless what it keeps lasts for at
// least the given time; it may answer with less when no more is to be had.
type Provider interface {
	Credentials(ctx context.Context, atLeast time.Duration) (Credentials, error)
}

// Config says what a Server serves, and to whom.
type Config struct {
	// Profiles by name; each is served at Path(name). At least one.
	Profiles map[string]Provider
	// Token that a request's Authorization header must equal. At least 16 characters.
	Token string
	// Hosts that a request may name beside 127.0.0.1, localhost and [::1]; the
	// port is always the one we listen on.
	Hosts []string
	// AtLeast is what an answer's credentials have left, if so much is to be had.
	// Zero means DefaultAtLeast.
	AtLeast time.Duration
	// RefreshTimeout bounds one call to a Provider. Zero means DefaultRefreshTimeout.
	RefreshTimeout time.Duration
	// Log gets one record for each refusal and refresh, without secrets. May be nil.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// A Server answers requests for credentials. Make one with New.
type Server struct {
	sources map[string]*source
	token   [sha256.Size]byte
	hosts   []string
	log     *slog.Logger
	timeout time.Duration

	stop    context.CancelFunc // ends the refreshes in flight
	pending *sync.WaitGroup    // refreshes in flight
}

// New checks the configuration and makes a server. Close it, or let Serve do so.
func New(c Config) (*Server, error) {
	switch {
	case len(c.Profiles) == 0:
		return nil, errors.New("serve credentials: no profile given")
	case len(c.Token) < 16:
		return nil, errors.New("serve credentials: the token has fewer than 16 characters")
	}
	if c.RefreshTimeout <= 0 {
		c.RefreshTimeout = DefaultRefreshTimeout
	}
	if c.AtLeast <= 0 {
		c.AtLeast = DefaultAtLeast
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{
		sources: make(map[string]*source, len(c.Profiles)),
		token:   sha256.Sum256([]byte(c.Token)),
		hosts:   append([]string{"127.0.0.1", "localhost", "::1"}, c.Hosts...),
		log:     c.Log,
		timeout: c.RefreshTimeout,
		stop:    stop,
		pending: new(sync.WaitGroup),
	}
	for name, p := range c.Profiles {
		if name == "" || name == "." || name == ".." {
			stop()
			return nil, fmt.Errorf("serve credentials: profile name %q can't be a path", name)
		}
		s.sources[name] = &source{
			name: name, provider: p, pending: s.pending, now: c.Now, log: c.Log, atLeast: c.AtLeast,
			limit: func() (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, c.RefreshTimeout) },
		}
	}
	return s, nil
}

// Path is where a profile is served: "/" and the name, percent-encoded.
func Path(profile string) string { return "/" + url.PathEscape(profile) }

// URI is the address of a profile on a listener, for AWS_CONTAINER_CREDENTIALS_FULL_URI.
func URI(addr net.Addr, profile string) string {
	return "http://" + addr.String() + Path(profile)
}

// Listen opens a port on loopback: 127.0.0.1, or [::1] on a machine without
// IPv4. Port 0 means any free one.
func Listen(ctx context.Context, port int) (net.Listener, error) {
	var lc net.ListenConfig
	p := strconv.Itoa(port)
	ln, err := lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", p))
	if err == nil {
		return ln, nil
	}
	if v6, err6 := lc.Listen(ctx, "tcp", net.JoinHostPort("::1", p)); err6 == nil && !inUse(err) {
		return v6, nil
	} else if err6 == nil {
		v6.Close()
	}
	return nil, fmt.Errorf("listen on 127.0.0.1:%d: %w", port, err)
}

// Warm gets the credentials of every profile, one after the other by name, so
// that what can't be had is known before anybody asks. The error is the Provider's.
func (s *Server) Warm(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(s.sources)) {
		if _, err := s.sources[name].get(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Serve answers on ln until ctx ends, then lets the requests in flight finish
// for a few seconds and closes everything. It refuses a listener that is not on
// loopback. A stop by ctx is no error.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	defer s.Close()
	defer ln.Close()
	addr, ok := ln.Addr().(*net.TCPAddr)
	if !ok || !addr.IP.IsLoopback() {
		return fmt.Errorf("serve credentials on %s: not a loopback address", ln.Addr())
	}
	hs := &http.Server{
		Handler:           s,
		MaxHeaderBytes:    maxHeaderBytes,
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      s.timeout + readTimeout,
		IdleTimeout:       idleTimeout,
		ConnContext:       withGuest,
		// net/http reports broken connections and panics here.
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- hs.Serve(limit(ln, maxConns)) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve credentials on %s: %w", addr, err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if hs.Shutdown(drain) != nil {
		hs.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve credentials on %s: %w", addr, err)
	}
	return nil
}

// Close ends the refreshes in flight and waits for them.
func (s *Server) Close() {
	s.stop()
	s.pending.Wait()
}
