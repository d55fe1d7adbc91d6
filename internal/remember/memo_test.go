package remember

import (
	"bytes"
	"errors"
	"reflect"
	"runtime"
	"testing"
	"time"
)

var memo = Memo{
	Life:   Life{Made: time.Unix(0, noon.UnixNano()), Expires: time.Unix(0, noon.Add(time.Hour).UnixNano()), Asked: time.Hour, Person: true, MinTTL: time.Minute},
	Cwd:    "/home/me",
	Files:  []Stamp{{Path: "/a", Dev: 1, Ino: 2, Size: 3, Mtime: -4, Ctime: 5}, {Path: "/b", Missing: true}},
	Stdout: []byte("secrets\x00\n"),
	Stderr: []byte("a notice\n"),
}

func TestMemoIsReadAsItWasWritten(t *testing.T) {
	for _, m := range []Memo{memo, {Life: memo.Life, Stdout: []byte{}, Stderr: []byte{}}} {
		got, err := Decode(m.Encode())
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("got %+v, %v; want %+v", got, err, m)
		}
	}
}

func TestWhatIsNoMemo(t *testing.T) {
	whole := memo.Encode()
	for i := range whole {
		if _, err := Decode(whole[:i]); err == nil {
			t.Fatalf("%d bytes of %d were taken for a memo", i, len(whole))
		}
	}
	if _, err := Decode(append(bytes.Clone(whole), 0)); err == nil {
		t.Error("a byte too many was taken for a memo")
	}
	whole[0]++
	if _, err := Decode(whole); err == nil {
		t.Error("another version was taken for a memo")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(memo.Encode())
	f.Add([]byte{memoVersion})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			return
		}
		if again, err := Decode(m.Encode()); err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("read %+v, wrote it, read %+v, %v", m, again, err)
		}
	})
}

func TestKeyTellsCommandsApart(t *testing.T) {
	args, env := []string{"assume", "prod", "--format", "process"}, []string{"HOME=/root", "AWS_REGION=eu-west-1", "EDITOR=vi"}
	key := Key(args, env)
	for what, other := range map[string]string{
		"another argument":    Key([]string{"assume", "dev", "--format", "process"}, env),
		"one argument more":   Key(append(args[:4:4], ""), env),
		"split otherwise":     Key([]string{"assume", "prod", "--formatprocess"}, env),
		"another region":      Key(args, []string{"HOME=/root", "AWS_REGION=eu-west-2", "EDITOR=vi"}),
		"no region":           Key(args, []string{"HOME=/root", "EDITOR=vi"}),
		"an empty region":     Key(args, []string{"HOME=/root", "AWS_REGION=", "EDITOR=vi"}),
		"another home":        Key(args, []string{"HOME=/", "AWS_REGION=eu-west-1", "EDITOR=vi"}),
		"ours":                Key(args, append(env[:3:3], "CROSSROLE_MIN_TTL=1h")),
		"a CI run":            Key(args, append(env[:3:3], "GITHUB_RUN_ID=7")),
		"twice, one order":    Key(args, append(env[:3:3], "AWS_REGION=x")),
		"twice, other order":  Key(args, append([]string{"AWS_REGION=x"}, env...)),
		"moved to the args":   Key(append(args[:4:4], "AWS_REGION=eu-west-1"), []string{"HOME=/root"}),
		"no command line":     Key(nil, env),
		"nothing but the end": Key(nil, nil),
	} {
		if other == key {
			t.Errorf("%s has the same key", what)
		}
	}
	for what, same := range map[string]string{
		"what does not matter": Key(args, append(env[:2:2], "EDITOR=emacs", "PWD=/x")),
		"another order":        Key(args, []string{env[1], env[0]}),
	} {
		if same != key {
			t.Errorf("%s: another key", what)
		}
	}
}

func TestHolds(t *testing.T) {
	base := Memo{Life: Life{Made: noon, Expires: noon.Add(time.Hour)}}
	here := func() (string, error) { return "/here", nil }
	for _, c := range []struct {
		name   string
		change func(*Memo, *Facts)
		want   bool
	}{
		{"as it was", func(*Memo, *Facts) {}, true},
		{"later", func(_ *Memo, f *Facts) { f.Now = noon.Add(50 * time.Minute) }, false},
		{"earlier", func(_ *Memo, f *Facts) { f.Now = noon.Add(-time.Hour) }, false},
		{"the person must be told", func(m *Memo, f *Facts) { m.Life.Person = true; f.Now = noon.Add(50 * time.Minute) }, false},
		{"same folder", func(m *Memo, _ *Facts) { m.Cwd = "/here" }, true},
		{"another folder", func(m *Memo, _ *Facts) { m.Cwd = "/there" }, false},
		{"no folder", func(m *Memo, f *Facts) {
			m.Cwd = "/here"
			f.Cwd = func() (string, error) { return "/here", errors.New("gone") }
		}, false},
		{"a missing file", func(m *Memo, _ *Facts) { m.Files = []Stamp{{Path: "/does/not/exist", Missing: true}} }, runtime.GOOS != "windows"}, // where nothing is remembered,
		{"a file that came", func(m *Memo, _ *Facts) { m.Files = []Stamp{{Path: "/", Missing: true}} }, false},
		{"a file that went", func(m *Memo, _ *Facts) { m.Files = []Stamp{{Path: "/does/not/exist", Ino: 1}} }, false},
	} {
		m, f := base, Facts{Now: noon.Add(time.Minute), Cwd: here}
		c.change(&m, &f)
		if got := m.Holds(f); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
