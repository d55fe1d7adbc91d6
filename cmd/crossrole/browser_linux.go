package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// peerUser tells which user of this machine has the other end of a loopback
// connection, from the kernel's table of sockets (proc(5), /proc/net/tcp).
func peerUser(remote string) (uid int, known bool) {
	addr, err := netip.ParseAddrPort(remote)
	if err != nil || !addr.Addr().Is4() {
		return 0, false
	}
	f, err := os.Open("/proc/net/tcp")
	if err != nil {
		return 0, false
	}
	defer func() { _ = f.Close() }()
	// The table shows addresses as the machine's words in hexadecimal.
	ip := addr.Addr().As4()
	want := fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(ip[:]), addr.Port())
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) > 7 && fields[1] == want {
			uid, err := strconv.Atoi(fields[7])
			return uid, err == nil
		}
	}
	return 0, false
}
