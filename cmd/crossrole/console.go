package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"crossrole/internal/assume"
	"crossrole/internal/console"
	"crossrole/internal/profile"
)

const consoleHelp = `Signs in to the AWS console with a profile's session, without a password.

The address is made by AWS's federation endpoint from the session and is as
secret as the session. On a terminal it is opened in the browser, and appears in
no process list on the way; into a pipe, or with --print, it is printed.

--switch-role gives the console's own link for switching to the profile's role
instead: for people who sign in as a user and click. It needs no credentials.

--duration is how long the console session lasts. AWS allows it only for a role
that a user's own keys assume; behind another role or a login the console
session ends with the credentials.

--browser-profile NAME opens a Firefox container (firefox:NAME, with the "Open
external links in a container" extension) or a Chrome profile folder
(chrome:NAME, also chromium:, brave:, edge:). Without a prefix it is the first
of these browsers that is found.`

type consoleOptions struct {
	planFlags
	service        string
	open, print    bool
	browserProfile string
	logoutFirst    bool
	switchRole     bool
	length         time.Duration
}

func newConsoleCmd(a *app) *cobra.Command {
	o := &consoleOptions{}
	cmd := &cobra.Command{
		Use:   "console [PROFILE]",
		Short: "Sign in to the AWS console with a profile's session",
		Long:  consoleHelp,
		Example: `  crossrole console prod
  crossrole console prod --service s3 --region eu-west-1
  crossrole console prod --browser-profile firefox:prod --logout-first
  crossrole console prod --switch-role --print`,
		Args: noMoreThan(1, "profile"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return o.run(cmd.Context(), a, strings.Join(args, ""))
		},
	}
	o.register(cmd)
	flags := cmd.Flags()
	flags.Lookup("duration").Usage = "how long the console session lasts: 15m to 12h, for a role that a user's own keys assume"
	flags.StringVar(&o.service, "service", "", "the console's page to open: a service such as s3 or ec2, or a path below it")
	flags.BoolVar(&o.open, "open", false, "open the browser (default on a terminal)")
	flags.BoolVar(&o.print, "print", false, "print the address (default without a terminal)")
	flags.StringVar(&o.browserProfile, "browser-profile", "", "Firefox container or Chrome profile to open it in, such as firefox:prod")
	flags.BoolVar(&o.logoutFirst, "logout-first", false, "end the browser's present console session before")
	flags.BoolVar(&o.switchRole, "switch-role", false, "the console's own link for switching to the role, instead of a sign-in")
	return cmd
}

func (o *consoleOptions) check() error {
	switch {
	case o.open && o.print:
		return usagef("--open and --print exclude each other")
	case o.print && o.browserProfile != "":
		return usagef("--browser-profile opens a browser, and --print does not")
	case o.switchRole && (o.service != "" || o.logoutFirst || o.over.Duration != ""):
		return usagef("--switch-role is a link of the console's own: --service, --duration and --logout-first don't go with it")
	}
	if text := o.over.Duration; text != "" {
		length, err := assume.ParseDuration(text)
		if err == nil && (length < console.MinDuration || length > console.MaxDuration) {
			err = console.ErrDuration
		}
		if err != nil {
			return usagef("--duration %s: %v", strconv.Quote(text), err)
		}
		o.length, o.over.Duration = length, "" // the console session's, not the role session's
	}
	return o.planFlags.check()
}

func (o *consoleOptions) run(ctx context.Context, a *app, name string) error {
	opens := !o.print && (o.open || o.browserProfile != "" || a.outIsTerminal())
	var browse browser
	if opens {
		var err error
		if browse, err = a.browser(o.browserProfile); err != nil {
			return err
		}
	}
	r, err := o.plan(a, name)
	if err != nil {
		return err
	}
	address, err := o.address(ctx, a, r)
	if err != nil {
		return err
	}
	if !opens {
		_, err := fmt.Fprintln(a.out, address)
		return err
	}
	if o.switchRole { // no secret
		return browse(ctx, address)
	}
	return a.openSecretly(ctx, address, browse)
}

func (o *consoleOptions) address(ctx context.Context, a *app, r resolved) (string, error) {
	role := roleOf(r)
	if o.switchRole {
		if role == "" {
			return "", &configError{
				Why:    "profile " + strconv.Quote(r.chain.Name) + " assumes no role to switch to",
				Advice: []string{"a profile that does has role_arn; crossrole list shows them"},
			}
		}
		return console.SwitchRole(role, r.chain.Name)
	}
	request := console.SignIn{
		Partition: partitionOf(r), Region: r.region(), Service: o.service, Duration: o.length, Chained: chained(r),
		LogoutFirst: o.logoutFirst, Endpoint: a.getenv("CROSSROLE_FEDERATION_URL"),
	}
	if role == "" && longTerm(r.plan.Source) { // before anything is asked
		return "", consoleError(console.ErrLongTermKeys, r)
	}
	if err := request.Check(); err != nil {
		return "", consoleError(err, r)
	}
	client, err := federationClient(r.plan.Where, o.timeout)
	if err != nil {
		return "", err
	}
	defer client.CloseIdleConnections()
	session, err := o.obtain(ctx, a, r)
	if err != nil {
		return "", err
	}
	address, err := request.URL(ctx, client, console.Session{
		AccessKeyID: session.AccessKeyID, SecretAccessKey: session.SecretAccessKey.Reveal(), SessionToken: session.SessionToken.Reveal(),
	})
	return address, consoleError(err, r)
}

// consoleError adds what a person can do.
func consoleError(err error, r resolved) error {
	if err == nil {
		return nil
	}
	if input, ok := errors.AsType[*console.InputError](err); ok && input.Field == "service" {
		return &usageError{Why: "--" + err.Error(), Advice: []string{"it is what stands in the console's addresses, such as s3, ec2 or s3/buckets"}}
	} else if ok {
		return &configError{Why: "console: " + err.Error()}
	}
	status, answered := errors.AsType[*console.StatusError](err)
	name := strconv.Quote(r.chain.Name)
	switch {
	case errors.Is(err, console.ErrLongTermKeys):
		return &configError{Why: "profile " + name + " has a user's own keys, and AWS signs in to the console only with a role's session", Advice: []string{
			"name a profile with role_arn, or give --role-arn: its session can sign in",
			"as the user itself, sign in to the console with the user's password",
		}}
	case errors.Is(err, console.ErrChainedDuration):
		return &configError{Why: "profile " + name + ": " + err.Error(), Advice: []string{
			"leave --duration out: the console session ends with the role's session, an hour at most behind another role",
		}}
	case answered && status.Status == http.StatusBadRequest:
		return withHints(err, "AWS answers so to a session that has expired, and to --duration for a session that a user's own keys did not make")
	}
	return err
}

// partitionOf is where the chain's role is; without one AWS's own is taken.
func partitionOf(r resolved) string {
	if parts := strings.SplitN(roleOf(r), ":", 3); len(parts) == 3 {
		return parts[1]
	}
	region := r.plan.Where.Region
	for prefix, partition := range map[string]string{
		"cn-": "aws-cn", "us-gov-": "aws-us-gov", "eusc-": "aws-eusc", "us-iso-": "aws-iso", "us-isob-": "aws-iso-b", "eu-isoe-": "aws-iso-e", "us-isof-": "aws-iso-f",
	} {
		if strings.HasPrefix(region, prefix) {
			return partition
		}
	}
	return "aws"
}

// longTerm tells a source whose credentials are a user's own keys.
func longTerm(s profile.Source) bool {
	return s.Kind == profile.SourceStatic && s.Properties["aws_session_token"].Text == ""
}

// chained tells whether a role's session assumes the last role. A session of
// unknown making is not refused here: AWS decides.
func chained(r resolved) bool {
	calls := len(r.plan.Calls)
	switch r.plan.Source.Kind {
	case profile.SourceEC2, profile.SourceContainer, profile.SourceSSO, profile.SourceWebIdentity, profile.SourceGitHub:
		return calls > 0
	default:
		return calls > 1
	}
}

// federationClient trusts what the AWS CLI would, and goes through its proxy.
func federationClient(where assume.Where, limit time.Duration) (*http.Client, error) {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	if where.CABundle != "" {
		pem, err := os.ReadFile(where.CABundle)
		if err != nil {
			return nil, fmt.Errorf("read the CA bundle: %w", err)
		}
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &configError{Why: "CA bundle " + strconv.Quote(where.CABundle) + " holds no certificate in PEM form"}
		}
	}
	return &http.Client{Transport: transport, Timeout: limit}, nil
}
