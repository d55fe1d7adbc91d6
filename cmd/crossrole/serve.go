package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"crossrole/internal/assume"
	"crossrole/internal/cache/sealed"
	"crossrole/internal/credserver"
	child "crossrole/internal/run"
)

const serveHelp = `Answers AWS SDKs with credentials that are always fresh, on loopback.

It prints what a client's environment needs, and runs until Ctrl-C or SIGTERM.
Every SDK knows the two variables (the container credentials contract): the
address, and the file with the token that opens it. The file is yours alone
(0600) and goes when serve does. With several profiles each has a path.

Sessions are renewed before the SDKs would ask for it. When one can't be, the
answer is an error: never an old session.

With --docker it prints the options with which docker run reaches it instead.`

type serveOptions struct {
	planFlags
	port   int
	docker bool
}

func newServeCmd(a *app) *cobra.Command {
	o := &serveOptions{}
	cmd := &cobra.Command{
		Use:   "serve PROFILE…",
		Short: "Serve refreshing credentials to AWS SDKs on this machine",
		Long:  serveHelp,
		Example: `  crossrole serve prod
  crossrole serve prod --port 9911 > client.env &     # then, in the client:  . ./client.env
  crossrole serve dev prod                            # one path for each
  crossrole serve prod --docker`,
		Args: atLeastOne("profile", "crossrole serve prod"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(args); err != nil {
				return err
			}
			return o.run(cmd.Context(), a, args)
		},
	}
	o.register(cmd)
	cmd.Flags().Lookup("min-ttl").Usage = "the least that an answer has left, such as 30m, if the role's sessions last so long (default 16m)"
	cmd.Flags().IntVar(&o.port, "port", 0, "the port on 127.0.0.1 (default any free one)")
	cmd.Flags().BoolVar(&o.docker, "docker", false, "print the options for docker run")
	return cmd
}

func (o *serveOptions) check(names []string) error {
	switch {
	case o.port < 0 || o.port > 65535:
		return usagef("--port %d is no port: 1 to 65535, or 0 for any free one", o.port)
	case len(names) > 1 && o.over.RoleARN != "":
		return usagef("--role-arn names one role, and there are %d profiles", len(names))
	case len(names) > 1 && o.over.MFACode != "":
		return usagef("--mfa-code works once, and there are %d profiles", len(names))
	}
	return o.planFlags.check()
}

func (o *serveOptions) run(ctx context.Context, a *app, names []string) error {
	names = unique(names)
	served, providers, err := o.providers(a, names)
	if err != nil {
		return err
	}
	e, err := openEndpoint(ctx, a, o.port, credserver.Config{
		Profiles: providers, Hosts: o.hosts(), AtLeast: max(o.minTTL, credserver.DefaultAtLeast), RefreshTimeout: patience(served),
	})
	if err != nil {
		return err
	}
	if err := e.server.Warm(ctx); err != nil {
		e.close()
		return err
	}
	ctx, stop := untilHangup(ctx)
	defer stop()
	folder, err := e.writeToken(a)
	if err != nil {
		e.close()
		return err
	}
	defer a.removeFolder(folder)
	if err := o.announce(a, e, folder, served); err != nil {
		e.close()
		return err
	}
	return e.server.Serve(ctx, e.ln)
}

func unique(names []string) []string {
	var out []string
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// providers plans every profile before any is called.
func (o *serveOptions) providers(a *app, names []string) ([]resolved, map[string]credserver.Provider, error) {
	var served []resolved
	providers := map[string]credserver.Provider{}
	for _, name := range names {
		r, err := o.plan(a, name)
		if err != nil {
			return nil, nil, err
		}
		s, err := o.sessions(a, r)
		if err != nil {
			return nil, nil, err
		}
		served = append(served, r)
		providers[r.chain.Name] = &endpointProvider{sessions: s}
		warn(a, r)
	}
	return served, providers, nil
}

// patience is 0, the server's own, unless somebody may have to type: also when a
// code of the command line serves for the first time.
func patience(served []resolved) time.Duration {
	for i := range served {
		later := served[i].plan
		later.MFACode = assume.Secret{}
		if later.NeedsPerson() {
			return whilePersonTypes
		}
	}
	return 0
}

// hosts are the names under which containers reach this machine's loopback.
func (o *serveOptions) hosts() []string {
	if o.docker {
		return []string{"host.docker.internal"}
	}
	return nil
}

// untilHangup ends with the terminal too, unless our parent wants us to outlive it.
func untilHangup(ctx context.Context) (context.Context, context.CancelFunc) {
	if signal.Ignored(syscall.SIGHUP) {
		return ctx, func() {}
	}
	return signal.NotifyContext(ctx, syscall.SIGHUP)
}

// The files of a running endpoint, in a folder of its own.
const (
	tokenFile  = "token"      // what SDKs read; no newline: botocore would refuse it
	dockerFile = "docker.env" // the same for docker run --env-file
)

// writeToken writes the token where only this user can read it, in memory if the
// system has such a folder.
func (e *endpoint) writeToken(a *app) (folder string, err error) {
	base := a.getenv("XDG_RUNTIME_DIR")
	if base == "" || sealed.CheckDir(base) != nil { // after su it is still the other user's
		base = os.TempDir()
	}
	folder, err = privateFolder(base, "crossrole-serve-", map[string]string{
		tokenFile:  e.token,
		dockerFile: "AWS_CONTAINER_AUTHORIZATION_TOKEN=" + e.token + "\n",
	})
	if err != nil {
		return "", fmt.Errorf("make a folder for the endpoint's token: %w", err)
	}
	return folder, nil
}

// removeFolder removes what is worthless once we are gone. What stays is only litter, but not ours to keep quiet about.
func (a *app) removeFolder(folder string) {
	if err := os.RemoveAll(folder); err != nil {
		a.say("warning: " + clean(folder) + " could not be removed: " + reasonOf(err))
	}
}

// announce prints what clients need, in one piece.
func (o *serveOptions) announce(a *app, e *endpoint, folder string, served []resolved) error {
	for _, r := range served {
		a.say("serving profile " + strconv.Quote(r.chain.Name) + " at " + credserver.URI(e.ln.Addr(), r.chain.Name))
	}
	text := dockerLines(e, folder, served)
	if !o.docker {
		text = a.clientLines(e, folder, served)
	}
	_, err := io.WriteString(a.out, text)
	return err
}

// dockerLines are options for docker run, a line a profile. The container shares
// the host's network because SDKs send a token over http to loopback alone; the
// token comes from a file that docker itself reads, so that neither a command
// line shows it nor must the container's user be able to read our file.
func dockerLines(e *endpoint, folder string, served []resolved) string {
	var b strings.Builder
	for _, r := range served {
		if len(served) > 1 {
			b.WriteString("# " + clean(r.chain.Name) + "\n")
		}
		b.WriteString("--network host -e " + posixQuote("AWS_CONTAINER_CREDENTIALS_FULL_URI="+credserver.URI(e.ln.Addr(), r.chain.Name)) +
			" --env-file " + posixQuote(filepath.Join(folder, dockerFile)))
		if region := r.region(); region != "" {
			b.WriteString(" -e " + posixQuote("AWS_REGION="+region) + " -e " + posixQuote("AWS_DEFAULT_REGION="+region))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// clientLines set up a client's shell for the first profile, and tell as
// comments what the others' addresses are.
func (a *app) clientLines(e *endpoint, folder string, served []resolved) string {
	const address = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
	set := map[string]string{"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": filepath.Join(folder, tokenFile)}
	if region := served[0].region(); region != "" {
		set["AWS_REGION"], set["AWS_DEFAULT_REGION"] = region, region
	}
	if a.defaultProfileWins() {
		a.say("warning: the lines hide the AWS files from the client: their default profile has credentials, which SDKs take before an endpoint's")
		set["AWS_CONFIG_FILE"], set["AWS_SHARED_CREDENTIALS_FILE"] = os.DevNull, os.DevNull
	}
	lines := shellLines(runtime.GOOS)
	var b strings.Builder
	for i, r := range served {
		line := lines.set(address, credserver.URI(e.ln.Addr(), r.chain.Name))
		if len(served) > 1 {
			b.WriteString("# profile " + clean(r.chain.Name) + ":\n")
		}
		if i > 0 {
			line = "# " + line
		}
		b.WriteString(line + "\n")
	}
	for name, value := range sortedPairs(set) {
		b.WriteString(lines.set(name, value) + "\n")
	}
	for _, name := range child.Conflicting() {
		if _, ours := set[name]; !ours && name != address {
			b.WriteString(lines.unset(name) + "\n")
		}
	}
	return b.String()
}

// lineStyle writes one assignment of a shell.
type lineStyle struct {
	set   func(name, value string) string
	unset func(name string) string
}

// shellLines is the style of the system's usual shell.
func shellLines(goos string) lineStyle {
	if goos == "windows" {
		return lineStyle{
			set:   func(n, v string) string { return "$env:" + n + " = '" + strings.ReplaceAll(v, "'", "''") + "'" },
			unset: func(n string) string { return "$env:" + n + " = $null" },
		}
	}
	return lineStyle{
		set:   func(n, v string) string { return "export " + n + "=" + posixQuote(v) },
		unset: func(n string) string { return "unset " + n },
	}
}

// posixQuote quotes a value for a shell that will run the line: unlike
// shellWord it must be right for any text.
func posixQuote(text string) string {
	if text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@=%") == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
