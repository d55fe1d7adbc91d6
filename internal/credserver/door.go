package credserver

import (
	"context"
	"net"
	"slices"
	"sync"
)

// door lets at most so many connections be open at once. Any user of the machine
// can open some and say nothing; so when it is full, the one that has been there
// longest without showing the token makes room. Only where all of them have
// shown it, the next waits.
type door struct {
	net.Listener
	slots  chan struct{} // one for each open connection
	closed chan struct{}
	once   sync.Once

	mu        sync.Mutex
	strangers []*guest // the longest here first
}

func limit(ln net.Listener, n int) net.Listener {
	return &door{Listener: ln, slots: make(chan struct{}, n), closed: make(chan struct{})}
}

// Accept waits for the next connection, and for room.
func (d *door) Accept() (net.Conn, error) {
	c, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if !d.takeSlot() {
		c.Close()
		return nil, net.ErrClosed
	}
	g := &guest{Conn: c, door: d}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.strangers = append(d.strangers, g)
	return g, nil
}

// takeSlot is false when the door was closed meanwhile.
func (d *door) takeSlot() bool {
	select {
	case d.slots <- struct{}{}:
		return true
	default:
		d.sendOneAway()
	}
	select {
	case d.slots <- struct{}{}:
		return true
	case <-d.closed:
		return false
	}
}

func (d *door) sendOneAway() {
	d.mu.Lock()
	var oldest *guest
	if len(d.strangers) > 0 {
		oldest = d.strangers[0]
	}
	d.mu.Unlock()
	if oldest != nil {
		_ = oldest.Close()
	}
}

// forget takes a guest off the list of strangers.
func (d *door) forget(g *guest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i := slices.Index(d.strangers, g); i >= 0 {
		d.strangers = slices.Delete(d.strangers, i, i+1)
	}
}

// Close ends Accept.
func (d *door) Close() error {
	d.once.Do(func() { close(d.closed) })
	return d.Listener.Close()
}

// guest is a connection and its slot.
type guest struct {
	net.Conn
	door *door
	once sync.Once
}

// Close gives the slot back, once.
func (g *guest) Close() error {
	defer g.once.Do(func() {
		g.door.forget(g)
		<-g.door.slots
	})
	return g.Conn.Close()
}

type guestKey struct{}

func withGuest(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, guestKey{}, c)
}

// vouchFor marks the connection of a request that showed the token.
func vouchFor(ctx context.Context) {
	if g, ok := ctx.Value(guestKey{}).(*guest); ok {
		g.door.forget(g)
	}
}
