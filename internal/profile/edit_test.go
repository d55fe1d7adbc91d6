package profile

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestEditText(t *testing.T) {
	keys := Edit{Set: []Setting{{"aws_access_key_id", "NEW"}, {"aws_session_token", "TOKEN"}}}
	for _, c := range []struct {
		name, before, section string
		edit                  Edit
		after                 string
	}{
		{"new file", "", "a", keys, "[a]\naws_access_key_id = NEW\naws_session_token = TOKEN\n"},
		{"new section", "[b]\nx = 1\n", "a", keys, "[b]\nx = 1\n\n[a]\naws_access_key_id = NEW\naws_session_token = TOKEN\n"},
		{"after a blank line", "[b]\n\n", "a", keys, "[b]\n\n[a]\naws_access_key_id = NEW\naws_session_token = TOKEN\n"},
		{"no last newline", "[b]\nx = 1", "a", keys, "[b]\nx = 1\n\n[a]\naws_access_key_id = NEW\naws_session_token = TOKEN\n"},
		{
			"CRLF", "[b]\r\nx = 1\r\n[a]\r\naws_access_key_id = OLD\r\n", "a", keys,
			"[b]\r\nx = 1\r\n[a]\r\naws_access_key_id = NEW\r\naws_session_token = TOKEN\r\n",
		},
		{
			"order, comments and spelling stay",
			"# top\n[a] # mine\n; why\nAWS_Access_Key_Id=OLD\n\tregion = x\n# end\n\n[b]\ny=2", "a",
			Edit{Set: []Setting{{"aws_access_key_id", "NEW"}, {"z", "1"}}},
			"# top\n[a] # mine\n; why\nAWS_Access_Key_Id=NEW\nz = 1\n# end\n\n[b]\ny=2",
		},
		{
			"last line of the file without a newline", "[a]\naws_access_key_id = OLD", "a", keys,
			"[a]\naws_access_key_id = NEW\naws_session_token = TOKEN\n",
		},
		{"header at the end", "[a]", "a", keys, "[a]\naws_access_key_id = NEW\naws_session_token = TOKEN\n"},
		{"remove", "[a]\nx = 1\n  more\n# note\n  yet\ny = 2\n", "a", Edit{Remove: []string{"x"}}, "[a]\n# note\ny = 2\n"},
		{"a comment after the value", "[a]\nx = 1 # one\n", "a", Edit{Set: []Setting{{"x", "2"}}}, "[a]\n# one\nx = 2\n"},
		{"an empty value", "[a]\nx =\n", "a", Edit{Set: []Setting{{"x", "2"}}}, "[a]\nx = 2\n"},
		{"a nested block", "[a]\nx =\n  y = 1\nz = 3\n", "a", Edit{Set: []Setting{{"x", "2"}}}, "[a]\nx = 2\nz = 3\n"},
		{"a key that is there twice", "[a]\nx = 1\ny = 2\nx = 3\n", "a", Edit{Set: []Setting{{"x", "4"}}}, "[a]\nx = 4\ny = 2\n"},
		{"a key that is named twice", "[a]\n", "a", Edit{Set: []Setting{{"x", "1"}, {"x", "2"}}}, "[a]\nx = 2\n"},
		{"same value", "[a]\nx  =   1 ; one\n", "a", Edit{Set: []Setting{{"x", "1"}}}, "[a]\nx  =   1 ; one\n"},
		{"byte order mark", "\xef\xbb\xbf[a]\nx = 1\n", "a", Edit{Set: []Setting{{"x", "2"}}}, "\xef\xbb\xbf[a]\nx = 2\n"},
		{"indented properties", "[a]\n  x = 1\n", "a", Edit{Set: []Setting{{"y", "2"}}}, "[a]\n  x = 1\ny = 2\n"},
		{"a dot in the name", "[a]\nx = 1\n[a.b]\ny = 1\n", "a.b", Edit{Set: []Setting{{"x", "2"}}}, "[a]\nx = 1\n[a.b]\ny = 1\nx = 2\n"},
		{"quotes stay", "[a]\n", "a", Edit{Set: []Setting{{"x", "`\"'\\"}}}, "[a]\nx = `\"'\\\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			after, err := editText([]byte(c.before), credentialsFile, c.section, c.edit)
			if err != nil {
				t.Fatal(err)
			}
			if string(after) != c.after {
				t.Errorf("got:\n%q\nwant:\n%q", after, c.after)
			}
			again, err := editText(after, credentialsFile, c.section, c.edit)
			if err != nil || string(again) != string(after) {
				t.Errorf("a second time: %q, %v", again, err)
			}
		})
	}
}

func TestEditTextRefuses(t *testing.T) {
	good := Edit{Set: []Setting{{"x", "1"}}}
	for _, c := range []struct {
		name, before, section string
		edit                  Edit
	}{
		{"a newline in the name", "", "a\n[b]", good},
		{"a bracket in the name", "", "a]b", good},
		{"an empty name", "", "", good},
		{"a blank in the name", "", "a b", good},
		{"a blank around the name", "", " a", good},
		{"a prefix", "", "profile a", good},
		{"python's inherited section", "", "DEFAULT", good},
		{"a newline in a value", "", "a", Edit{Set: []Setting{{"x", "1\ny = 2"}}}},
		{"a carriage return in a value", "", "a", Edit{Set: []Setting{{"x", "1\ry = 2"}}}},
		{"a blank around a value", "", "a", Edit{Set: []Setting{{"x", " 1"}}}},
		{"a comment in a value", "", "a", Edit{Set: []Setting{{"x", "1 #2"}}}},
		{"a comment for a value", "", "a", Edit{Set: []Setting{{"x", "#2"}}}},
		{"a byte that is no text", "", "a", Edit{Set: []Setting{{"x", "\xff"}}}},
		{"a delimiter in a key", "", "a", Edit{Set: []Setting{{"x=y", "1"}}}},
		{"the other delimiter in a key", "", "a", Edit{Set: []Setting{{"x:y", "1"}}}},
		{"a section that is there twice", "[a]\n[b]\n[a]\n", "a", good},
		{"a section that cannot be read", "[a]\nwhat\n", "a", good},
		{"a header that cannot be read", "[b]\n[a\nx = 1\n", "a", good},
	} {
		t.Run(c.name, func(t *testing.T) {
			after, err := editText([]byte(c.before), credentialsFile, c.section, c.edit)
			if err == nil {
				t.Errorf("no error, but %q", after)
			}
		})
	}
}

func TestEditConfigSection(t *testing.T) {
	edit := Edit{Set: []Setting{{"x", "2"}}}
	for before, after := range map[string]string{
		"[profile a]\nx = 1\n":                      "[profile a]\nx = 2\n",
		"[profile \"a\"]\nx = 1\n":                  "[profile \"a\"]\nx = 2\n",
		"[a]\nx = 1\n":                              "[a]\nx = 1\n\n[profile a]\nx = 2\n",
		"[sso-session a]\nx = 1\n[profile\ta]\n":    "[sso-session a]\nx = 1\n[profile\ta]\nx = 2\n",
		"[profile b]\ns3 =\n  [profile a]\n  x=1\n": "",
	} {
		got, err := editText([]byte(before), configFile, "profile a", edit)
		if after != "" && (err != nil || string(got) != after) {
			t.Errorf("%q became %q, %v; want %q", before, got, err, after)
		}
	}
	got, err := editText([]byte("[default]\nx = 1\n[profile default]\nx = 3\n"), configFile, "default", edit)
	if want := "[default]\nx = 1\n[profile default]\nx = 2\n"; err != nil || string(got) != want {
		t.Errorf("default: %q, %v", got, err)
	}
}

// edits is an editor's decision that is always the same.
func edits(e Edit) func(Section) (Edit, error) {
	return func(Section) (Edit, error) { return e, nil }
}

func folderNames(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		// On Windows the lock is a file beside the target: who removed it would take it from who waits for it.
		if runtime.GOOS != "windows" || e.Name() != ".credentials.lock" {
			names = append(names, e.Name())
		}
	}
	return strings.Join(names, " ")
}

func TestEditSection(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "aws", "credentials")
	edit := edits(Edit{Set: []Setting{{"aws_access_key_id", "A"}}})
	result, err := EditSection(context.Background(), path, "a", edit, EditOptions{})
	if err != nil || !result.Changed {
		t.Fatal(result, err)
	}
	assertFile(t, path, "[a]\naws_access_key_id = A\n", 0o600)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := EditSection(context.Background(), path, "b", edit, EditOptions{}); err != nil {
		t.Fatal(err)
	}
	assertFile(t, path, "[a]\naws_access_key_id = A\n\n[b]\naws_access_key_id = A\n", 0o640)
	if names := folderNames(t, filepath.Dir(path)); names != "credentials" {
		t.Errorf("the folder has %s", names)
	}
}

func assertFile(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil || string(data) != text {
		t.Errorf("%s has %q, %v; want %q", path, data, err, text)
	}
	info, err := os.Stat(path)
	if runtime.GOOS == "windows" {
		mode = 0o666 // who may read a file is in its access list there, not in its mode
	}
	if err != nil || info.Mode().Perm() != mode {
		t.Errorf("%s has mode %v, want %v", path, info.Mode(), mode)
	}
}

// editText is editTexts for one section.
func editText(data []byte, kind fileKind, section string, e Edit) ([]byte, error) {
	out, errs := editTexts(data, kind, []sectionEdit{{section, e}})
	if errs[0] != nil {
		return nil, errs[0]
	}
	return out, nil
}
