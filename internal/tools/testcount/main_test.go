package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const events = `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"hidden\n"}
{"Action":"pass","Package":"p","Test":"TestA/sub"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
`

func TestCount(t *testing.T) {
	const fails = `{"Action":"output","Package":"q","Test":"TestC","Output":"why it failed\n"}
{"Action":"fail","Package":"q","Test":"TestC"}
{"Action":"fail","Package":"q"}
`
	const dies = `{"Action":"run","Package":"r","Test":"TestD"}
{"Action":"output","Package":"r","Test":"TestD","Output":"panic: x\n"}
{"Action":"fail","Package":"r"}
`
	for _, c := range []struct{ in, want, shown string }{
		{events, "crossrole: 2 passed, 0 failed, 1 skipped", "ok  \tp"},
		{events + fails, "crossrole: 2 passed, 1 failed, 1 skipped", "why it failed"},
		{events + dies, "crossrole: 2 passed, 1 failed, 1 skipped", "panic: x"},
		{"# p\nmain.go:1: broken\n" + `{"Action":"fail","Package":"p"}`, "crossrole: 0 passed, 1 failed, 0 skipped", "main.go:1: broken"},
		{"", "crossrole: 0 passed, 0 failed, 0 skipped", ""},
	} {
		var out strings.Builder
		got, err := count(strings.NewReader(c.in), &out)
		if err != nil || got.String() != c.want || !strings.Contains(out.String(), c.shown) || strings.Contains(out.String(), "hidden") {
			t.Errorf("%q, %v, want %q; shown:\n%s", got, err, c.want, out.String())
		}
	}
}

func TestSave(t *testing.T) {
	path := filepath.Join(t.TempDir(), "counts")
	for _, c := range []counts{{1, 2, 3}, {4, 5, 6}} {
		if err := c.save(path); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "1 2 3\n4 5 6\n" {
		t.Errorf("%q, %v", text, err)
	}
	if err := (counts{}).save(""); err != nil {
		t.Error(err)
	}
}
