package main

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// socketTables are the kernel's tables of sockets (proc(5)). One that was opened
// for IPv6 and talks IPv4 is in the second.
var socketTables = []string{"/proc/net/tcp", "/proc/net/tcp6"}

// tableTries is how often a socket is looked for: a table that changes while it
// is read may miss one.
const tableTries = 3

// peerUser tells which user of this machine has the other end of a loopback
// connection. known is false only where there is no table to look into; a
// connection that is in none is nobody's (-1).
func peerUser(remote, local string) (uid int, known bool) {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return nobody, true
	}
	own, err := netip.ParseAddrPort(local)
	if err != nil {
		return nobody, true
	}
	for range tableTries {
		known = false
		for _, name := range socketTables {
			table, err := os.ReadFile(name)
			if err != nil {
				continue
			}
			known = true
			if uid, found := socketUser(string(table), peer, own); found {
				return uid, true
			}
		}
	}
	return nobody, known
}

// nobody is no user's id.
const nobody = -1

// socketUser finds the socket with these two ends: other users' may share one of
// them.
func socketUser(table string, from, to netip.AddrPort) (uid int, found bool) {
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) <= 7 || !isEnd(fields[1], from) || !isEnd(fields[2], to) {
			continue
		}
		uid, err := strconv.Atoi(fields[7])
		return uid, err == nil
	}
	return 0, false
}

// isEnd tells whether a column is this address, which stands there as the
// machine's words in hexadecimal.
func isEnd(column string, at netip.AddrPort) bool {
	address, port, _ := strings.Cut(column, ":")
	if port != fmt.Sprintf("%04X", at.Port()) {
		return false
	}
	raw, err := hex.DecodeString(address)
	if err != nil {
		return false
	}
	for i := 0; i+4 <= len(raw); i += 4 {
		binary.BigEndian.PutUint32(raw[i:], binary.NativeEndian.Uint32(raw[i:]))
	}
	ip, ok := netip.AddrFromSlice(raw)
	return ok && ip.Unmap() == at.Addr().Unmap()
}
