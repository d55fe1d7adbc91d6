package each

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// Shard is one part of the accounts, K of N. The zero Shard is all of them.
type Shard struct{ K, N int }

// All tells that nothing is left out.
func (s Shard) All() bool { return s.N == 0 }

// has tells whether an account is in the shard. It depends on the account
// alone, so that machines agree without asking one another.
func (s Shard) has(account string) bool {
	if s.N == 0 {
		return true
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(account))
	return int(mix(h.Sum64())%uint64(s.N)) == s.K-1
}

// mix spreads the hash: FNV's last bits follow the account's last digits.
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// ParseShard reads K/N, or "auto" for what the engine that runs us has set in
// the environment. Its error is a *UsageError, or where engines contradict
// themselves or one another a *ConfigError.
func ParseShard(text string, getenv func(string) string) (Shard, error) {
	switch text {
	case "":
		return Shard{}, nil
	case "auto":
		return shardOfEngine(getenv)
	}
	k, n, ok := strings.Cut(text, "/")
	s, err := newShard(k, n, 1)
	if !ok || err != nil {
		return Shard{}, &UsageError{Why: "--shard " + strconv.Quote(text) + " is not K/N with 1 ≤ K ≤ N", Advice: []string{"the second of four parts is --shard 2/4; --shard auto asks the engine's variables"}}
	}
	return s, nil
}

func newShard(index, total string, first int) (Shard, error) {
	k, err1 := strconv.Atoi(index)
	n, err2 := strconv.Atoi(total)
	k += 1 - first
	if err1 != nil || err2 != nil || n < 1 || k < 1 || k > n {
		return Shard{}, fmt.Errorf("%q of %q is no part", index, total)
	}
	return Shard{k, n}, nil
}
