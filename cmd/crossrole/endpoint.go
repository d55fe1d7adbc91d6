package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"crossrole/internal/credserver"
	"crossrole/internal/profile"
	child "crossrole/internal/run"
)

// whilePersonTypes is how long one refresh may take where an MFA code is asked for.
const whilePersonTypes = 5 * time.Minute

// endpoint is a credentials endpoint and how to reach it.
type endpoint struct {
	server *credserver.Server
	ln     net.Listener
	token  string
}

// openEndpoint listens and makes the server; nothing is answered yet. The token
// is made here.
func openEndpoint(ctx context.Context, a *app, port int, c credserver.Config) (*endpoint, error) {
	c.Token, c.Log, c.Now = rand.Text()+rand.Text(), a.log(), a.now
	server, err := credserver.New(c)
	if err != nil {
		return nil, err
	}
	ln, err := credserver.Listen(ctx, port)
	if err != nil {
		server.Close()
		return nil, withHints(err, "choose another with --port, or leave it out for any free one")
	}
	return &endpoint{server, ln, c.Token}, nil
}

// close gives up an endpoint that was never served.
func (e *endpoint) close() {
	e.server.Close()
	_ = e.ln.Close()
}

// runBesideEndpoint keeps an endpoint for as long as the command runs.
func (o *execOptions) runBesideEndpoint(ctx context.Context, a *app, r resolved, command child.Command) error {
	s, err := o.sessions(a, r)
	if err != nil {
		return err
	}
	warn(a, r)
	first, err := s.lasting(ctx, o.minTTL)
	if err != nil {
		return err
	}
	if s, err = o.quietly(a, r); err != nil {
		return err
	}
	provider := &endpointProvider{sessions: s, have: first, primed: true}
	e, err := openEndpoint(ctx, a, 0, credserver.Config{Profiles: map[string]credserver.Provider{r.chain.Name: provider}})
	if err != nil {
		return err
	}
	command.Env = childEnvironment(a, endpointVariables(a, r, e))

	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- e.server.Serve(serving, e.ln) }()
	status, err := child.Supervise(context.WithoutCancel(ctx), command, childStreams(), graceAfterTerm)
	stop()
	return errors.Join(childStatus(status, err), <-served)
}

// quietly gives sessions for a time when the terminal is the command's: nobody is
// asked or told anything.
func (o *execOptions) quietly(a *app, r resolved) (*sessions, error) {
	quiet := &app{err: io.Discard, getenv: a.getenv, environ: a.environ, now: a.now, debug: a.debug}
	if a.debug {
		quiet.err = a.err
	}
	f := o.planFlags
	f.noInput, f.keeper, f.store = true, nil, nil
	s, err := f.sessions(quiet, r)
	if err == nil {
		s.forgetCode()
	}
	return s, err
}

// endpointVariables send a child's SDKs to the endpoint.
func endpointVariables(a *app, r resolved, e *endpoint) map[string]string {
	vars := placeVariables(r)
	vars["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = credserver.URI(e.ln.Addr(), r.chain.Name)
	vars["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = e.token
	if a.defaultProfileWins() {
		a.say("warning: the command does not see the AWS files: their default profile has credentials, which SDKs take before an endpoint's")
		vars["AWS_CONFIG_FILE"], vars["AWS_SHARED_CREDENTIALS_FILE"] = os.DevNull, os.DevNull
	}
	return vars
}

// defaultProfileWins tells whether the default profile has credentials. Every
// SDK takes those before it asks an endpoint, and so would be somebody else.
func (a *app) defaultProfileWins() bool {
	set, err := a.profiles()
	if err != nil {
		return true
	}
	if _, err := set.Profile("default"); err != nil {
		_, unknown := errors.AsType[*profile.UnknownProfileError](err)
		return !unknown
	}
	chain, err := set.Resolve("default")
	return err != nil || chain.Source.Kind != "" || len(chain.Hops) > 0
}
