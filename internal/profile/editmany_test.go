package profile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// setting is an edit that sets one property.
func setting(name, key, value string) SectionEdit {
	return SectionEdit{name, func(Section) (Edit, error) { return Edit{Set: []Setting{{key, value}}}, nil }}
}

// Many sections in one go come out as if they were written one after the other;
// one that is refused does not keep the others back.
func TestEditSections(t *testing.T) {
	const before = "# mine\r\n[b]\r\nx = 1 # one\r\n\r\n[twice]\r\n[a]\r\ny = 2\r\n[twice]\r\n[keep]\r\nx = 0"
	path := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(path, []byte(before), 0o640); err != nil {
		t.Fatal(err)
	}
	no := errors.New("no")
	list := []SectionEdit{
		setting("new", "x", "3"), setting("b", "x", "4"), setting("twice", "x", "5"), setting("a\nb", "x", "6"), setting("a", "z", "7"),
		{"keep", func(s Section) (Edit, error) {
			if s.Properties["x"].Text != "0" {
				t.Errorf("keep: %+v", s)
			}
			return Edit{}, no
		}},
		setting("new2", "x", "8"), setting("new", "x", "9"), setting("bad", "x", "a\nb"),
	}
	result, refused, err := EditSections(t.Context(), path, list, EditOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const after = "# mine\r\n[b]\r\n# one\r\nx = 4\r\n\r\n[twice]\r\n[a]\r\ny = 2\r\nz = 7\r\n[twice]\r\n[keep]\r\nx = 0\r\n\r\n[new]\r\nx = 3\r\n\r\n[new2]\r\nx = 8\r\n"
	if raw, err := os.ReadFile(path); err != nil || string(raw) != after || string(result.After) != after {
		t.Errorf("%v\n%q\nwant\n%q", err, raw, after)
	}
	for i, err := range refused {
		want := map[int]string{2: "twice, at lines", 3: "cannot be written", 5: "no", 7: "asked for twice", 8: "cannot be written"}[i]
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", list[i].Name, err, want)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 && runtime.GOOS != "windows" {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// Nothing to write leaves the file alone; a file that can't be written is one
// error for all.
func TestEditSectionsAllOrNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	no := SectionEdit{"a", func(Section) (Edit, error) { return Edit{}, errors.New("no") }}
	if _, refused, err := EditSections(t.Context(), path, []SectionEdit{no}, EditOptions{}); err != nil || refused[0] == nil {
		t.Errorf("%v, %v", refused, err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("an empty file was made")
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := EditSections(t.Context(), filepath.Join(filepath.Dir(path), "file", "c"), []SectionEdit{setting("a", "x", "1"), setting("b", "x", "1")}, EditOptions{})
	if edit, ok := errors.AsType[*EditError](err); !ok || edit.Section != "" || !strings.HasPrefix(err.Error(), "writing ") || strings.Contains(err.Error(), "section") {
		t.Errorf("%v", err)
	}
}

// Eight times the sections cost about eight times as much, not sixty-four: the
// file is read and written once. The best of three rounds, for others work on
// this machine too.
func TestEditSectionsIsOnePass(t *testing.T) {
	cost := func(n int) time.Duration {
		best := time.Hour
		for round := range 3 {
			path := filepath.Join(t.TempDir(), "credentials")
			var list []SectionEdit
			for i := range n {
				list = append(list, setting(fmt.Sprintf("p%05d-session", i), "aws_session_token", strings.Repeat("t", 500+round)))
			}
			for range 2 { // new sections, and then old ones
				start := time.Now()
				_, refused, err := EditSections(t.Context(), path, list, EditOptions{})
				if err != nil || !noneOf(refused) {
					t.Fatal(err)
				}
				best = min(best, time.Since(start))
			}
			raw, err := os.ReadFile(path)
			if got := strings.Count(string(raw), "-session]\n"); err != nil || got != n {
				t.Fatalf("%d sections of %d, %v", got, n, err)
			}
		}
		return best
	}
	few, many := cost(250), cost(2000)
	t.Logf("250 in %v, 2000 in %v", few, many)
	if many > 32*few {
		t.Errorf("2000 sections in %v, 250 in %v", many, few)
	}
}

// The index finds what a walk finds, in files with headers of every kind.
func TestIndexedNamesAreTheSame(t *testing.T) {
	const text = "[a]\n[profile a]\n[ a ]\n[profile  a] # x\n[b\n[profile b]\n[default]\n[profile default]\n[sso-session a]\n[services a]\n[DEFAULT]\n" +
		"[Profile a]\n[profile\ta]\n[profile \"a\"]\n[]\n[profile ]\n[profile a]]\n[profile c\n[sso-session  c]\n[x] y\n[plain c]\n"
	for _, kind := range []fileKind{configFile, credentialsFile} {
		walked, indexed := newDocument("", kind, []byte(text)), newDocument("", kind, []byte(text))
		indexed.indexNames()
		for _, name := range []string{"a", "b", "c", "x", "default", "DEFAULT", "", "profile a", "plain c", "a]", "nobody"} {
			for k := kindProfile; k <= kindServices; k++ { // those that an edit may be about
				found, broken := walked.find(k, name)
				again, brokenAgain := indexed.find(k, name)
				if !slices.Equal(found, again) || broken != brokenAgain {
					t.Errorf("file %v, kind %v, %q: %v %d, indexed %v %d", kind, k, name, found, broken, again, brokenAgain)
				}
			}
		}
	}
}

func noneOf(errs []error) bool {
	for _, err := range errs {
		if err != nil {
			return false
		}
	}
	return true
}
