package main

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"crossrole/internal/localsts"
)

// TestMain lets the scripts run the test binary as crossrole itself.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"crossrole": func() { os.Exit(run()) },
		"oathtool":  func() { fmt.Println(docsCode(os.Getenv("HOME"))) }, // an mfa_process of the pages of docs
	})
}

// instruments is in every environment made for a program: under the race
// detector it would sleep a second at its end, and what it covers counts.
func instruments() []string {
	return []string{"GORACE=atexit_sleep_ms=0", "GOCOVERDIR=" + os.Getenv("GOCOVERDIR")}
}

// canary is the secret of every user of the scripts' accounts; no script may
// print it outside a payload that was asked for.
const canary = "c4n4ryS3cr3tOfAUser00000000000000000000"

// The scripts are the specification of the commands. Besides testscript's own
// verbs they have
//
//	sts [FILE...]      start the local STS with these account files (or its own
//	                   example accounts), and point AWS_ENDPOINT_URL_STS at it
//	calls ACTION N     the local STS was asked for ACTION N times so far
//	exit CODE CMD...   CMD ends with exactly this code, and prints nothing on
//	                   stdout unless the code is 0
//	answers CODE CMD...  CMD ends with exactly this code, and its answer is on
//	                   stdout whatever the code is
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: setupScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"sts":     scriptSTS,
			"calls":   scriptCalls,
			"exit":    scriptExit,
			"answers": scriptAnswers,
		},
		RequireExplicitExec: false,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

func setupScript(e *testscript.Env) error {
	home := filepath.Join(e.WorkDir, "home")
	if err := os.MkdirAll(filepath.Join(home, ".aws"), 0o700); err != nil {
		return err
	}
	e.Vars = append(e.Vars, instruments()...)
	e.Setenv("HOME", home)
	e.Setenv("USERPROFILE", home)
	e.Setenv("USER", "tester")
	e.Setenv("CANARY", canary)
	e.Setenv("XDG_CACHE_HOME", filepath.Join(e.WorkDir, "cache"))
	e.Setenv("CROSSROLE_CACHE", "file")
	return nil
}

// servers are the local STS of the scripts under way, by their work folder.
var servers sync.Map

func scriptSTS(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: sts [FILE...]")
	}
	accounts := localsts.Example()
	if len(args) > 0 {
		accounts = nil
	}
	for _, name := range args {
		account, err := localsts.LoadAccount(strings.NewReader(os.Expand(ts.ReadFile(name), ts.Getenv)), "")
		ts.Check(err)
		accounts = append(accounts, account)
	}
	world, err := localsts.NewWorld(accounts...)
	ts.Check(err)
	server, err := localsts.New(world, localsts.Options{})
	ts.Check(err)
	http := httptest.NewServer(server)
	ts.Defer(http.Close)
	ts.Setenv("AWS_ENDPOINT_URL_STS", http.URL)
	servers.Store(ts.Getenv("WORK"), server)
	ts.Defer(func() { servers.Delete(ts.Getenv("WORK")) })
}

func scriptCalls(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: calls ACTION N")
	}
	v, ok := servers.Load(ts.Getenv("WORK"))
	if !ok {
		ts.Fatalf("no local STS: start one with sts")
	}
	got := strconv.Itoa(v.(*localsts.Server).Count(args[0]))
	if (got == args[1]) == neg {
		ts.Fatalf("%s was called %s times", args[0], got)
	}
}

func scriptAnswers(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: answers CODE CMD...")
	}
	checkExit(ts, args)
	if ts.ReadFile("stdout") == "" {
		ts.Fatalf("%v: nothing on stdout", args[1:])
	}
}

func scriptExit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exit CODE CMD...")
	}
	checkExit(ts, args)
	if out := ts.ReadFile("stdout"); args[0] != "0" && out != "" {
		ts.Fatalf("exit %s with something on stdout: %q", args[0], out)
	}
}

// checkExit runs a command, wants its exit code, and no secret on stderr.
func checkExit(ts *testscript.TestScript, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("%v: exit %s, want %s", args[1:], got, args[0])
	}
	if text := ts.ReadFile("stderr"); strings.Contains(text, canary) {
		ts.Fatalf("a secret on stderr: %q", text)
	}
}
