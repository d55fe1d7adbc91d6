package main

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"crossrole/internal/localsts"
	child "crossrole/internal/run"
)

// defaultLines is the form of the lines for eval on this system.
var defaultLines = map[bool]string{true: "powershell", false: "env"}[runtime.GOOS == "windows"]

// scene is the temporary place of a rehearsal: a config file, a credentials file, and the MFA devices.
type scene struct {
	dir    string
	roster []localsts.Principal
}

func newScene(roster []localsts.Principal) (*scene, error) {
	s := &scene{roster: roster}
	run := make([]byte, 4)
	_, _ = rand.Read(run) // documented never to fail
	dir, err := privateFolder(os.TempDir(), "crossrole-rehearsal-", map[string]string{
		"config": s.config("rehearsal-" + hex.EncodeToString(run)), "credentials": s.credentials(), "mfa": s.devices(),
	})
	if err != nil {
		return nil, fmt.Errorf("make a place for the rehearsal's profiles: %w", err)
	}
	s.dir = dir
	return s, nil
}

func (s *scene) file(name string) string { return filepath.Join(s.dir, name) }

// config has a profile for everybody. The session name differs from run to run: the AWS CLI keeps sessions by what was
// asked for, not by where, and would bring one of yesterday's rehearsal.
func (s *scene) config(session string) string {
	var b strings.Builder
	for _, p := range s.roster {
		for _, name := range append([]string{p.Profile}, p.Aliases...) {
			header := "profile " + name
			if name == "default" {
				header = name
			}
			fmt.Fprintf(&b, "[%s]\nregion = us-east-1\n", header)
			if !p.IsRole() {
				b.WriteByte('\n')
				continue
			}
			fmt.Fprintf(&b, "role_arn = %s\nrole_session_name = %s\n", p.ARN, session)
			for key, value := range sortedPairs(map[string]string{"source_profile": p.Source, "external_id": p.ExternalID, "mfa_serial": p.MFASerial}) {
				if value != "" {
					fmt.Fprintf(&b, "%s = %s\n", key, value)
				}
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func (s *scene) credentials() string {
	var b strings.Builder
	for _, p := range s.roster {
		if p.IsRole() || p.Key.ID == "" {
			continue
		}
		for _, name := range append([]string{p.Profile}, p.Aliases...) {
			fmt.Fprintf(&b, "[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n\n", name, p.Key.ID, string(p.Key.Secret))
		}
	}
	return b.String()
}

// devices lists the virtual MFA devices as authenticator apps and oathtool take them.
func (s *scene) devices() string {
	var b strings.Builder
	for _, p := range s.roster {
		for _, d := range p.MFA {
			fmt.Fprintf(&b, "%s otpauth://totp/%s?secret=%s&issuer=rehearsal\n", d.Serial, url.PathEscape(p.Profile), url.QueryEscape(string(d.Seed)))
		}
	}
	return b.String()
}

// variables point a client at the rehearsal.
func (s *scene) variables(endpoint string, getenv func(string) string) map[string]string {
	vars := map[string]string{
		"AWS_ENDPOINT_URL_STS": endpoint, "AWS_ENDPOINT_URL_IAM": endpoint, "AWS_ENDPOINT_URL_ORGANIZATIONS": endpoint,
		"AWS_CONFIG_FILE": s.file("config"), "AWS_SHARED_CREDENTIALS_FILE": s.file("credentials"),
		"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false", // true would make clients talk to AWS
		"CROSSROLE_CACHE_DIR":                 s.file("cache"),
	}
	if getenv("AWS_REGION") == "" && getenv("AWS_DEFAULT_REGION") == "" {
		vars["AWS_DEFAULT_REGION"] = "us-east-1" // for clients with keys and no profile
	}
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		if runtime.GOOS == "windows" && name == "no_proxy" {
			continue
		}
		if old := getenv(name); old != "" {
			vars[name] = old + ",127.0.0.1,localhost"
		} else {
			vars[name] = "127.0.0.1,localhost"
		}
	}
	return vars
}

// announce prints the lines for eval, and tells a person who is there.
func (o *rehearseOptions) announce(a *app, endpoint string, s *scene, vars map[string]string) error {
	var b strings.Builder
	drop := child.Conflicting()
	switch o.format {
	case "fish":
		for _, name := range drop {
			fmt.Fprintf(&b, "set -e %s;\n", name)
		}
		for k, v := range sortedPairs(vars) {
			fmt.Fprintf(&b, "set -gx %s '%s';\n", k, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(v))
		}
	case "powershell":
		for _, name := range drop {
			fmt.Fprintf(&b, "Remove-Item Env:%s -ErrorAction SilentlyContinue;\n", name)
		}
		for k, v := range sortedPairs(vars) {
			fmt.Fprintf(&b, "$env:%s = '%s';\n", k, strings.ReplaceAll(v, "'", "''"))
		}
	default:
		fmt.Fprintf(&b, "unset %s;\n", strings.Join(drop, " "))
		for k, v := range sortedPairs(vars) {
			fmt.Fprintf(&b, "export %s='%s';\n", k, strings.ReplaceAll(v, "'", `'\''`))
		}
	}
	if _, err := io.WriteString(a.out, b.String()); err != nil {
		return err
	}
	names := make([]string, 0, len(s.roster))
	for _, p := range s.roster {
		names = append(names, p.Profile)
	}
	const most = 20
	more := ""
	if len(names) > most {
		more = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	a.say("rehearsing at " + endpoint + " until Ctrl-C; profiles: " + strings.Join(names, " ") + more)
	if a.outIsTerminal() {
		a.say("the lines above are for another shell; or give a command: … -- " + cmp.Or(a.getenv("SHELL"), "sh"))
	}
	return nil
}
