package credserver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

func TestOversizedHeaderIsRefused(t *testing.T) {
	r := start(t, Config{Profiles: map[string]Provider{"dev": always(time.Hour)}})
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go fmt.Fprintf(conn, "GET /dev HTTP/1.1\r\nHost: %s\r\nX: %s\r\n\r\n", r.addr, strings.Repeat("a", 1<<20))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", resp.StatusCode)
	}
}

// A caller who dribbles a header is cut off, and does not keep others waiting.
func TestSlowHeaderIsCutOff(t *testing.T) {
	t.Parallel()
	r := start(t, Config{Profiles: map[string]Provider{"dev": always(time.Hour)}})
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /dev HTTP/1.1\r\nHost: %s\r\n", r.addr)
	if a := r.ask(t, "GET", "/dev", nil); a.status != 200 {
		t.Errorf("another caller got %d", a.status)
	}
	conn.SetReadDeadline(time.Now().Add(readTimeout + 5*time.Second))
	begun := time.Now()
	if _, err := io.ReadAll(conn); err != nil {
		t.Fatalf("the connection was still open after %v: %v", time.Since(begun), err)
	}
}

func TestConnectionsAreLimited(t *testing.T) {
	inner, err := Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	ln := limit(inner, 2)
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	dial()
	known := <-accepted
	vouchFor(withGuest(t.Context(), known))
	silent := dial()
	stranger := <-accepted
	dial() // sends the stranger away
	second := <-accepted
	if _, err := silent.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("the stranger stayed: %v", err)
	}
	stranger.Close() // gives no second slot back
	vouchFor(withGuest(t.Context(), second))
	dial()
	select {
	case <-accepted:
		t.Fatal("a third connection beside two that showed the token")
	case <-time.After(50 * time.Millisecond):
	}
	known.Close()
	third := <-accepted
	vouchFor(withGuest(t.Context(), third))
	dial()
	ln.Close() // ends Accept although the slots are taken
	if _, open := <-accepted; open {
		t.Error("accepted after Close")
	}
	second.Close()
	third.Close()
}

// Whoever opens connections and says nothing, as any user of the machine can, keeps nobody from the credentials.
func TestSilentConnectionsKeepNobodyOut(t *testing.T) {
	t.Parallel()
	r := start(t, Config{Profiles: map[string]Provider{"dev": always(time.Hour)}})
	for range maxConns + 50 {
		conn, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	begun := time.Now()
	if a := r.ask(t, "GET", "/dev", nil); a.status != 200 {
		t.Errorf("answered %d", a.status)
	}
	if took := time.Since(begun); took > readTimeout/2 {
		t.Errorf("it took %s", took)
	}
}
