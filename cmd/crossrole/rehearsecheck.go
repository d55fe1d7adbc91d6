package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"crossrole/internal/disk"
	"crossrole/internal/localsts"
	"crossrole/internal/output/table"
)

// rehearsal is a file of expectations. File names in it are relative to it.
type rehearsal struct {
	Accounts     []string          `yaml:"accounts"`
	Organization string            `yaml:"organization"`
	Parameters   map[string]string `yaml:"parameters"`
	Expectations []expectation     `yaml:"expectations"`
}

// expectation is one row: an assumption of a role, or with action and resource any action.
type expectation struct {
	Name           string            `yaml:"name"`
	Caller         string            `yaml:"caller"`
	Role           string            `yaml:"role"`
	ExternalID     string            `yaml:"external_id"`
	MFA            bool              `yaml:"mfa"`
	SessionName    string            `yaml:"session_name"`
	SourceIdentity string            `yaml:"source_identity"`
	Tags           map[string]string `yaml:"tags"`
	Duration       int               `yaml:"duration_seconds"`
	Action         string            `yaml:"action"`
	Resource       string            `yaml:"resource"`
	Expect         string            `yaml:"expect"`
}

// verdict is how a row came out.
type verdict struct {
	expectation
	got  string // allow, deny, or error
	said string // what AWS would say, or what is wrong with the row
	why  []string
}

func (v verdict) pass() bool { return v.got == v.Expect }

func (e expectation) title() string {
	if e.Name != "" {
		return e.Name
	}
	if e.Action != "" {
		return e.Caller + " " + e.Action + " " + e.Resource
	}
	return e.Caller + " → " + e.Role
}

const maxRehearsalFile = 4 << 20

func readRehearsal(a *app, file string) (*rehearsal, error) {
	in, name, err := a.open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()
	b, err := io.ReadAll(io.LimitReader(in, maxRehearsalFile+1))
	if err != nil {
		return nil, fileError("reading", name, err)
	}
	if len(b) > maxRehearsalFile {
		return nil, &configError{Why: fmt.Sprintf("rehearsal %q: larger than %d bytes", name, maxRehearsalFile)}
	}
	r := &rehearsal{}
	if err := decodeRehearsal(b, r); err != nil {
		return nil, &configError{Why: fmt.Sprintf("rehearsal %q: %s", name, oneLine(err.Error()))}
	}
	return r, nil
}

// decodeRehearsal takes the whole form, or a bare list of expectations. A key that it does not know is an error: a
// condition that was misspelt must not look tested.
func decodeRehearsal(b []byte, r *rehearsal) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return err
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	var into any = r
	if len(doc.Content) == 1 && doc.Content[0].Kind == yaml.SequenceNode {
		into = &r.Expectations
	}
	if err := dec.Decode(into); err != nil {
		return err
	}
	if len(r.Expectations) == 0 {
		return errors.New("it has no expectations")
	}
	for i, e := range r.Expectations {
		switch {
		case e.Expect != "allow" && e.Expect != "deny":
			return fmt.Errorf("expectation %d: expect is allow or deny, not %q", i+1, e.Expect)
		case e.Caller == "":
			return fmt.Errorf("expectation %d has no caller", i+1)
		case (e.Role == "") == (e.Action == ""):
			return fmt.Errorf("expectation %d wants either a role or an action", i+1)
		case e.Duration < 0:
			return fmt.Errorf("expectation %d: duration_seconds is negative", i+1)
		}
	}
	return nil
}

func (o *rehearseOptions) runCheck(ctx context.Context, a *app) error {
	r, err := readRehearsal(a, o.check)
	if err != nil {
		return err
	}
	o.take(r)
	if len(o.accounts)+len(o.fromLive) == 0 {
		return &configError{Why: fmt.Sprintf("rehearsal %q names no account", o.check), Advice: []string{"list the files under accounts:, or give --account"}}
	}
	s, err := o.open(ctx, a)
	if err != nil {
		return err
	}
	results := make([]verdict, 0, len(r.Expectations))
	failed := 0
	for _, e := range r.Expectations {
		v := judge(s, e)
		if !v.pass() {
			failed++
		}
		results = append(results, v)
	}
	if o.junit != "" {
		if err := writeJUnit(ctx, o.junit, o.check, results); err != nil {
			return err
		}
	}
	return o.report(a, results, failed)
}

// take adds what the file names to what the command line names.
func (o *rehearseOptions) take(r *rehearsal) {
	for _, f := range r.Accounts {
		o.accounts = append(o.accounts, beside(o.check, f))
	}
	if o.organization == "" && r.Organization != "" {
		o.organization = beside(o.check, r.Organization)
	}
	var values []string
	for k, v := range sortedPairs(r.Parameters) {
		values = append(values, k+"="+v)
	}
	o.parameters = append(values, o.parameters...) // the command line's win
}

// judge decides one row by the same decisions that serve clients.
func judge(s *localsts.Server, e expectation) verdict {
	v := verdict{expectation: e, got: "error"}
	var out localsts.Outcome
	var err error
	if e.Action != "" {
		out, err = s.Can(e.Caller, e.Action, e.Resource)
	} else {
		try := localsts.Attempt{
			Caller: e.Caller, Role: e.Role, ExternalID: e.ExternalID, MFA: e.MFA, SessionName: e.SessionName,
			SourceIdentity: e.SourceIdentity, Seconds: e.Duration,
		}
		for k, val := range sortedPairs(e.Tags) {
			try.Tags = append(try.Tags, localsts.Tag{Key: k, Value: val})
		}
		out, err = s.Try(try)
	}
	if err != nil {
		v.said = err.Error()
		return v
	}
	v.why = out.Why
	if v.got = "deny"; out.Allowed {
		v.got = "allow"
	} else {
		v.said = out.Code + ": " + out.Message
	}
	return v
}

func (o *rehearseOptions) report(a *app, results []verdict, failed int) error {
	var rows [][]string
	for _, v := range results {
		word := "pass"
		if !v.pass() {
			word = "FAIL"
		}
		mfa := ""
		if v.MFA {
			mfa = "yes"
		}
		what := v.Role
		if v.Action != "" {
			what = v.Action + " " + v.Resource
		}
		rows = append(rows, []string{word, v.Name, v.Caller, what, v.ExternalID, mfa, v.Expect, v.got})
	}
	columns := []table.Column{{Title: "RESULT"}, {Title: "NAME", Shrink: true}, {Title: "CALLER"}, {Title: "ROLE"}, {Title: "EXTERNAL ID"}, {Title: "MFA"}, {Title: "EXPECTED"}, {Title: "GOT"}}
	if _, err := io.WriteString(a.out, table.Render(columns, rows, 0)); err != nil {
		return err
	}
	for _, v := range results {
		if v.pass() && !o.why {
			continue
		}
		_, _ = fmt.Fprintf(a.err, "%s: expected %s, got %s\n", clean(v.title()), v.Expect, v.got)
		for _, line := range append([]string{v.said}, v.why...) {
			if line != "" {
				_, _ = io.WriteString(a.err, "  "+clean(line)+"\n")
			}
		}
	}
	if failed > 0 {
		return &exitError{Code: exitFailed, Err: fmt.Errorf("%d of %d expectations are not met", failed, len(results))}
	}
	return nil
}

// junitSuite is the part of JUnit's XML that CI systems read.
type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitFailure `xml:"failure,omitempty"`
	Error   *junitFailure `xml:"error,omitempty"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

func writeJUnit(ctx context.Context, file, name string, results []verdict) error {
	suite := junitSuite{Name: name, Tests: len(results)}
	for _, v := range results {
		c := junitCase{Class: "rehearsal", Name: v.title()}
		f := &junitFailure{Message: "expected " + v.Expect + ", got " + v.got, Text: v.said + "\n" + strings.Join(v.why, "\n")}
		switch {
		case v.got == "error":
			c.Error = f
			suite.Errors++
		case !v.pass():
			c.Failure = f
			suite.Failures++
		}
		suite.Cases = append(suite.Cases, c)
	}
	b, err := xml.MarshalIndent(suite, "", "  ")
	if err != nil {
		return fmt.Errorf("write %q: %w", file, err)
	}
	if err := disk.ReplaceFile(ctx, file, append([]byte(xml.Header), append(b, '\n')...)); err != nil {
		return fileError("writing", file, err)
	}
	return nil
}
