package main

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestShowPassesTheParserSuite runs the SDKs' suite for the file parser
// through the commands, as somebody else's test of the program would.
func TestShowPassesTheParserSuite(t *testing.T) {
	data, err := os.ReadFile("../../../shared/conformance/profile-parser-tests.json")
	if os.IsNotExist(err) {
		t.Skip("the conformance suites are not here")
	}
	if err != nil {
		t.Fatal(err)
	}
	var suite struct {
		Tests []struct {
			Name   string
			Input  struct{ ConfigFile, CredentialsFile string }
			Output struct {
				ErrorContaining *string
				Config          struct{ Profiles map[string]map[string]string }
			}
		}
	}
	if err := json.Unmarshal(data, &suite); err != nil || len(suite.Tests) < 60 {
		t.Fatalf("%d cases, %v", len(suite.Tests), err)
	}
	for _, c := range suite.Tests {
		t.Run(c.Name, func(t *testing.T) {
			files := filesFor(t, c.Input.ConfigFile, c.Input.CredentialsFile)
			if c.Output.ErrorContaining != nil {
				if code, out := answer(files, "show", "foo", "--format", "json"); code != exitConfiguration || out != "" {
					t.Errorf("exit %d, %q", code, out)
				}
				return
			}
			var listing listJSON
			code, out := answer(files, "list", "--format", "json")
			if err := json.Unmarshal([]byte(out), &listing); code != exitDone || err != nil {
				t.Fatalf("exit %d, %v", code, err)
			}
			var names []string
			for _, p := range listing.Profiles {
				names = append(names, p.Name)
			}
			slices.Sort(names)
			if want := slices.Sorted(maps.Keys(c.Output.Config.Profiles)); !slices.Equal(names, want) {
				t.Fatalf("profiles %q, want %q", names, want)
			}
			for name, want := range c.Output.Config.Profiles {
				if got := shown(t, files, name); !maps.Equal(got, want) {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	}
}

func filesFor(t *testing.T, config, credentials string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	env := map[string]string{
		"AWS_CONFIG_FILE":             filepath.Join(dir, "config"),
		"AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "credentials"),
	}
	for name, text := range map[string]string{"AWS_CONFIG_FILE": config, "AWS_SHARED_CREDENTIALS_FILE": credentials} {
		if err := os.WriteFile(env[name], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return env
}

// answer runs a command line that needs nothing but an environment.
func answer(env map[string]string, args ...string) (code int, stdout string) {
	var out, said bytes.Buffer
	a := &app{
		in: strings.NewReader(""), out: &out, err: &said, now: time.Now,
		getenv:        func(name string) string { return env[name] },
		environ:       func() []string { return nil },
		outIsTerminal: func() bool { return false },
	}
	return execute(context.Background(), a, args), out.String()
}

func shown(t *testing.T, files map[string]string, name string) map[string]string {
	t.Helper()
	var one showJSON
	code, out := answer(files, "show", name, "--format", "json")
	if err := json.Unmarshal([]byte(out), &one); code != exitDone || err != nil {
		t.Fatalf("show %s: exit %d, %v", name, code, err)
	}
	values := map[string]string{}
	for key, p := range one.Properties {
		values[key] = p.Value
	}
	return values
}
