package profile

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var benchSizes = []int{10, 1_000, 10_000, 50_000}

// manyProfiles writes a config file of n role profiles and the source that
// they share.
func manyProfiles(tb testing.TB, n int) Files {
	tb.Helper()
	var b strings.Builder
	b.WriteString("[profile base]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = secret\n")
	for i := range n {
		fmt.Fprintf(&b, "[profile account-%05d]\nrole_arn = arn:aws:iam::%012d:role/team/admin\nsource_profile = base\nregion = eu-west-1\nexternal_id = x%d\n\n", i, i, i)
	}
	files := Files{Config: filepath.Join(tb.TempDir(), "config")}
	if err := os.WriteFile(files.Config, []byte(b.String()), 0o600); err != nil {
		tb.Fatal(err)
	}
	return files
}

// bareScan is what the rest is measured against: read the file and look at
// the first byte of each line.
func bareScan(path string) (headers int, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for len(data) > 0 {
		if data[0] == '[' {
			headers++
		}
		n := bytes.IndexByte(data, '\n')
		if n < 0 {
			break
		}
		data = data[n+1:]
	}
	return headers, nil
}

func noEnv(string) string { return "" }

func BenchmarkResolveOne(b *testing.B) {
	for _, n := range benchSizes {
		files := manyProfiles(b, n)
		last := fmt.Sprintf("account-%05d", n-1)
		b.Run(fmt.Sprintf("scan/%d", n), func(b *testing.B) {
			for b.Loop() {
				if found, err := bareScan(files.Config); err != nil || found != n+1 {
					b.Fatal(found, err)
				}
			}
		})
		b.Run(fmt.Sprintf("resolve/%d", n), func(b *testing.B) {
			for b.Loop() {
				s, err := Load(files, noEnv)
				if err != nil {
					b.Fatal(err)
				}
				if chain, err := s.Resolve(last); err != nil || len(chain.Hops) != 1 {
					b.Fatal(chain, err)
				}
			}
		})
	}
}

func BenchmarkNames(b *testing.B) {
	files := manyProfiles(b, 10_000)
	for b.Loop() {
		s, err := Load(files, noEnv)
		if err != nil || len(s.Names()) != 10_001 {
			b.Fatal(err)
		}
	}
}

// BenchmarkResolveAll is what list does.
func BenchmarkResolveAll(b *testing.B) {
	files := manyProfiles(b, 10_000)
	for b.Loop() {
		s, err := Load(files, noEnv)
		if err != nil {
			b.Fatal(err)
		}
		s.Preload()
		for _, name := range s.Names() {
			if _, err := s.Resolve(name); err != nil {
				b.Fatal(err)
			}
		}
		if problems := s.Problems(); len(problems) != 0 {
			b.Fatal(problems)
		}
	}
}
