package profile

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
)

// parse makes a Set of texts without files.
func parse(config, credentials []byte) *Set {
	return &Set{
		files: Files{Config: "config", Credentials: "credentials"}, env: noEnv,
		config:      newDocument("config", configFile, config),
		credentials: newDocument("credentials", credentialsFile, credentials),
		profiles:    map[string]*Profile{},
	}
}

// FuzzRead looks for panics, and for differences between reading one profile
// through ini.v1 and all of them by the pre-pass, and between looking a name
// up with and without the index.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"[default]\nregion = x\n[profile a]\nrole_arn = r\nsource_profile = default\n",
		"[profile a]\ns3 =\n  x = 1\n y\n", "\xef\xbb\xbf[profile \"a b\"] # c\n`x` = \"\"\"\n- = \\\n",
		"[profile a]\rx = 1\r[profile b]", " [profile a]\n  x = 1\n [b\n", "[a]\naws_access_key_id=A\nx: y\n[DEFAULT]\nx=1",
		"[sso-session s]\nsso_region=r\n[services v]\nsts =\n endpoint_url = u\n[profile a]\nsso_session=s\nservices=v\n",
	} {
		f.Add([]byte(seed), []byte(seed))
	}
	f.Fuzz(func(t *testing.T, config, credentials []byte) {
		if checkText(config) != nil || checkText(credentials) != nil {
			return
		}
		all := parse(config, credentials)
		all.Preload()
		all.Problems()
		for _, name := range all.Names() {
			one := parse(config, credentials)
			p, err := one.Profile(name)
			q, err2 := all.Profile(name)
			if (err == nil) != (err2 == nil) {
				t.Fatalf("%q: alone %v, with all %v", name, err, err2)
			}
			if err == nil && (!maps.Equal(p.Properties, q.Properties) || !slices.Equal(p.Sections, q.Sections)) {
				t.Fatalf("%q: alone %v, with all %v", name, p, q)
			}
			chain, err := one.Resolve(name)
			if err != nil {
				if text := err.Error(); strings.ContainsAny(text, "\n\r\x1b") || !IsConfiguration(err) {
					t.Fatalf("%q: the error is %q", name, text)
				}
				continue
			}
			if len(chain.Hops) > len(all.Names()) {
				t.Fatalf("%q has %d hops", name, len(chain.Hops))
			}
		}
	})
}

// FuzzEdit checks that an edit changes its own section only, that it reads
// back, and that a second one changes nothing.
func FuzzEdit(f *testing.F) {
	f.Add([]byte("[a]\nx = 1\n[b]\nx = 2\n"), "a", "x", "3", "y", false)
	f.Add([]byte("# c\r\n[b] ; d\r\nx =\r\n  y = 1"), "b", "x", "`\"'", "x", true)
	f.Add([]byte("\xef\xbb\xbf[profile a]\n  x = 1 # c\n   d\n"), "profile a", "x", "", "z", true)
	f.Fuzz(func(t *testing.T, data []byte, section, key, value, gone string, config bool) {
		kind := credentialsFile
		if config {
			kind = configFile
		}
		if checkText(data) != nil {
			return
		}
		edit := Edit{Set: []Setting{{key, value}}, Remove: []string{gone}}
		after, err := editText(data, kind, section, edit)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r\x1b") {
				t.Fatalf("the error is %q", err)
			}
			return
		}
		again, err := editText(after, kind, section, edit)
		if err != nil || !bytes.Equal(again, after) {
			t.Fatalf("a second time: %q, then %q, %v", after, again, err)
		}
		checkUntouched(t, data, after, kind, section)
	})
}

// checkUntouched compares every other section, byte for byte.
func checkUntouched(t *testing.T, before, after []byte, kind fileKind, section string) {
	t.Helper()
	want, err := checkEdit(kind, section, Edit{})
	if err != nil {
		t.Fatal(err)
	}
	others := func(data []byte) []string {
		d := newDocument("", kind, data)
		own, err := d.editable(want)
		if err != nil {
			t.Fatal(err)
		}
		out := []string{d.preamble()}
		for i, start := range d.starts {
			if i != own {
				_, end := d.body(i)
				out = append(out, string(d.data[start:end]))
			}
		}
		return out
	}
	a, b := others(before), others(after)
	if !slices.EqualFunc(a, b, func(x, y string) bool { return x == y || strings.TrimRight(y, "\r\n") == strings.TrimRight(x, "\r\n") }) {
		t.Fatalf("other sections changed:\n%q\n%q", a, b)
	}
}
