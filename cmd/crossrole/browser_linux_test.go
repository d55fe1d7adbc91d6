package main

import (
	"encoding/binary"
	"net/netip"
	"testing"
)

// A connection is told by both its ends, and also when it is in the table of
// IPv6 sockets.
func TestSocketUser(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the table below is that of a little-endian machine")
	}
	const v4 = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:A2B4 0100007F:0050 01 00000000:00000000 00:00000000 00000000   666        0 1
   1: 0100007F:A2B4 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 2
`
	const v6 = "   0: 0000000000000000FFFF00000100007F:A2B4 0000000000000000FFFF00000100007F:1F90 01 00000000:00000000 00:00000000 00000000  1001        0 3\n"
	from, to := netip.MustParseAddrPort("127.0.0.1:41652"), netip.MustParseAddrPort("127.0.0.1:8080")
	for name, c := range map[string]struct {
		table string
		uid   int
		found bool
	}{
		"both ends":  {v4, 1000, true},
		"mapped":     {v6, 1001, true},
		"other port": {"   0: 0100007F:A2B5 0100007F:1F90 01 0:0 0:0 0  1 0 1\n", 0, false},
		"garbage":    {"   0: zz:A2B4 0100007F:1F90 01 0:0 0:0 0  1 0 1\n", 0, false},
		"empty":      {"", 0, false},
	} {
		if uid, found := socketUser(c.table, from, to); uid != c.uid || found != c.found {
			t.Errorf("%s: %d, %v", name, uid, found)
		}
	}
}
