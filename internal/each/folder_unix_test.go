//go:build unix

package each

import (
	"os"
	"path/filepath"
	"testing"
)

// What somebody planted in the output folder is replaced: neither is a link followed, nor does a file that others can read
// get the output.
func TestOutputFilesAreMadeNew(t *testing.T) {
	dir := t.TempDir()
	precious := filepath.Join(dir, "precious")
	for _, name := range []string{precious, filepath.Join(dir, "open.out")} {
		if err := os.WriteFile(name, []byte("as it was"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(precious, filepath.Join(dir, "link.out")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"open.out", "link.out", "none.out"} {
		f, err := openOutput(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("output"); err != nil {
			t.Fatal(err)
		}
		if info, err := f.Stat(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
		_ = f.Close()
	}
	if data, err := os.ReadFile(precious); err != nil || string(data) != "as it was" {
		t.Errorf("the link's target holds %q, %v", data, err)
	}
}
