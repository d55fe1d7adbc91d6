//go:build unix

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"crossrole/internal/localsts"
)

func TestCacheFlags(t *testing.T) {
	c := newCrowd(t, localsts.Options{})
	first := c.good(c.assume("open"))
	if got := c.good(c.assume("open", "--no-cache")); got.AccessKeyID == first.AccessKeyID {
		t.Error("--no-cache took it from the cache")
	}
	if got := c.good(c.assume("open")); got.AccessKeyID != first.AccessKeyID {
		t.Error("--no-cache put it into the cache")
	}
	fresh := c.good(c.assume("open", "--refresh"))
	if fresh.AccessKeyID == first.AccessKeyID {
		t.Error("--refresh took it from the cache")
	}
	if got := c.good(c.assume("open")); got.AccessKeyID != fresh.AccessKeyID {
		t.Error("after --refresh the old one is handed out")
	}
	c.good(c.assume("open", "--min-ttl", "30m"))
	c.wantCalls(3)
	if r := c.assume("open", "--min-ttl", "2h"); r.code != 1 || r.out != "" || !strings.Contains(r.err, "--min-ttl") {
		t.Errorf("more than there is: %+v", r)
	}
	if r := c.assume("open", "--min-ttl", "13h"); r.code != exitUsage {
		t.Errorf("more than there can be: %+v", r)
	}
}

// A cache that can't be used costs calls and one line, never the credentials.
func TestWithoutACache(t *testing.T) {
	type fault struct {
		name, says string
		prepare    func(c *crowd, cache string)
	}
	faults := []fault{
		{"no folder can be made", "no cache", func(c *crowd, cache string) {
			noError(t, os.WriteFile(cache, nil, 0o600))
			c.env = append(c.env, "CROSSROLE_CACHE_DIR="+filepath.Join(cache, "below"))
		}},
		{"others may enter it", "open to other users", func(_ *crowd, cache string) {
			noError(t, os.Mkdir(cache, 0o700))
			noError(t, os.Chmod(cache, 0o777))
		}},
		{"it is a link", "not a folder", func(c *crowd, cache string) { noError(t, os.Symlink(t.TempDir(), cache)) }},
		{"no home", "no home", func(c *crowd, _ string) {
			c.env = append(c.env[2:], "AWS_CONFIG_FILE="+filepath.Join(c.dir, ".aws", "config"), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(c.dir, ".aws", "credentials"))
			c.env = append(c.env, "CROSSROLE_CACHE_DIR=")
		}},
	}
	if os.Geteuid() == 0 {
		faults = append(faults, fault{"another user's", "owned by user 1001", func(_ *crowd, cache string) {
			noError(t, os.Mkdir(cache, 0o700))
			noError(t, os.Chown(cache, 1001, -1))
		}})
	} else {
		faults = append(faults, fault{"another user's", "owned by user 0", func(c *crowd, _ string) {
			c.env = append(c.env, "CROSSROLE_CACHE_DIR=/")
		}}, fault{"read-only", "no cache", func(c *crowd, cache string) {
			noError(t, os.Mkdir(filepath.Join(c.dir, "ro"), 0o500))
			c.env = append(c.env, "CROSSROLE_CACHE_DIR="+filepath.Join(c.dir, "ro", "cache"))
		}})
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			c := newCrowd(t, localsts.Options{})
			f.prepare(c, filepath.Join(c.dir, "cache"))
			for n := 1; n <= 2; n++ {
				r := c.assume("open")
				c.good(r)
				if lines := strings.Count(r.err, "\n"); lines != 1 || !strings.Contains(r.err, f.says) || strings.Contains(r.err, "hint:") {
					t.Errorf("said %q", r.err)
				}
				c.wantCalls(n)
			}
		})
	}
}

func TestCacheListAndClear(t *testing.T) {
	c := newCrowd(t, localsts.Options{})
	run := func(args ...string) result { return finish(t, c.command(args...)) }
	if r := run("cache", "list"); r.code != 0 || !strings.Contains(r.out, "no sessions") {
		t.Errorf("an empty cache: %+v", r)
	}
	c.good(c.assume("open"))
	c.good(c.assume("short"))
	var listing cacheListing
	noError(t, json.Unmarshal([]byte(run("cache", "list", "--format", "json").out), &listing))
	if listing.Version != 1 || listing.Protection == "" || len(listing.Sessions) != 2 {
		t.Fatalf("listed %+v", listing)
	}
	for _, s := range listing.Sessions {
		if !strings.Contains(s.Who, "assumed-role/") || s.Expired || time.Until(s.Expires) < 50*time.Minute || s.Protection != listing.Protection {
			t.Errorf("listed %+v", s)
		}
	}
	text := run("cache", "list")
	for _, want := range []string{"open", "short", "assumed-role/Open/", listing.Protection} {
		if !strings.Contains(text.out, want) {
			t.Errorf("%q is not in %q", want, text.out)
		}
	}
	if r := run("cache", "clear", "open"); r.code != 0 || r.out != "" || !strings.Contains(r.err, "forgot 1 session of profile") {
		t.Errorf("cleared one: %+v", r)
	}
	c.good(c.assume("open"))
	c.wantCalls(3)
	c.good(c.assume("short"))
	c.wantCalls(3)
	if r := run("cache", "clear"); r.code != 0 || !strings.Contains(r.err, "forgot 2 sessions") {
		t.Errorf("cleared all: %+v", r)
	}
	c.good(c.assume("short"))
	c.wantCalls(4)
	c.env = append(c.env, "CROSSROLE_CACHE=off")
	if r := run("cache", "list"); r.code != exitConfiguration || r.out != "" {
		t.Errorf("a cache that is off: %+v", r)
	}
	c.env = append(c.env, "CROSSROLE_CACHE=on")
	if r := c.assume("open"); r.code != exitConfiguration || !strings.Contains(r.err, "CROSSROLE_CACHE") {
		t.Errorf("a mode that is none: %+v", r)
	}
}
