package assume

import (
	"context"
	"errors"
	"net"
	"net/url"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// skewWorthTelling is where the SDK begins to correct a clock.
const skewWorthTelling = 4 * time.Minute

// skewWorthKnowing is beyond what a slow answer and whole seconds make.
const skewWorthKnowing = 15 * time.Second

func skewOf(metadata middleware.Metadata) (time.Duration, bool) {
	return awsmiddleware.GetAttemptSkew(metadata)
}

// place says which call of a plan an answer belongs to.
type place struct {
	call      *Call
	what      string // the action, when it is not about a role
	profile   string
	hop, hops int
	mfa       bool
}

func (p place) action() string {
	if p.what != "" {
		return p.what
	}
	return "sts:AssumeRole"
}

func (p place) doing() string {
	if p.call == nil {
		return "calling " + p.action()
	}
	return "assuming " + p.call.Role.String() + " (profile " + quoted(p.call.Profile) + ")"
}

// CallError is a call that failed otherwise than by a refusal.
type CallError struct {
	Doing     string
	Why       string
	Code      string // AWS's error code, if it answered with one
	RequestID string
	Advice    []string
	Err       error
}

func (e *CallError) Error() string { return e.Doing + ": " + e.Why }

// Unwrap gives the cause.
func (e *CallError) Unwrap() error { return e.Err }

// Hints says what to do about it.
func (e *CallError) Hints() []string { return e.Advice }

func (p place) broken(why string) error { return &CallError{Doing: p.doing(), Why: why} }

// explain turns what the SDK says into an error of a kind, by type and code.
func (p place) explain(err error) error {
	if errors.Is(err, context.Canceled) && !errors.Is(err, errTimeout) {
		return err
	}
	var timeout *TimeoutError
	if errors.As(err, &timeout) {
		return &CallError{Doing: p.doing(), Why: timeout.Error(), Advice: timeout.Hints(), Err: err}
	}
	var throttled *ThrottledError
	if errors.As(err, &throttled) {
		return &CallError{Doing: p.doing(), Why: throttled.Error(), Code: "Throttling", Advice: throttled.Hints(), Err: err}
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return p.unreached(err)
	}
	id := requestID(err)
	if denials[api.ErrorCode()] {
		return p.denied(api, id, err)
	}
	return &CallError{
		Doing: p.doing(), Why: "AWS says " + oneLine(api.ErrorCode()) + ": " + oneLine(api.ErrorMessage()),
		Code: api.ErrorCode(), RequestID: id, Advice: adviceFor(api.ErrorCode(), api.ErrorMessage()), Err: err,
	}
}

// denials are the codes with which AWS refuses, as opposed to fails.
var denials = map[string]bool{
	"AccessDenied": true, "AccessDeniedException": true,
	"InvalidIdentityToken": true, "IDPRejectedClaim": true,
}

var authorizedForm = newForm(`User: (\S+) is not authorized to perform: (\S+)`)

func (p place) denied(api smithy.APIError, id string, err error) error {
	d := &DeniedError{
		Action: p.action(), Code: api.ErrorCode(), Message: api.ErrorMessage(), RequestID: id,
		Hop: p.hop, Hops: p.hops, MFASent: p.mfa, Profile: p.profile, Err: err,
	}
	if m := authorizedForm.FindStringSubmatch(d.Message); m != nil {
		d.Caller, d.Action = oneLine(m[1]), oneLine(m[2])
	}
	if c := p.call; c != nil {
		d.RoleARN, d.Profile = c.Role.String(), c.Profile
		d.ExternalIDSent, d.TagsSent, d.IdentitySent = c.ExternalID != "", len(c.Tags) > 0, c.SourceIdentity != ""
	}
	return d
}

// unreached is a call that AWS did not answer.
func (p place) unreached(err error) error {
	e := &CallError{Doing: p.doing(), Why: "AWS did not answer", Err: err}
	var dns *net.DNSError
	var u *url.Error
	var status *awshttp.ResponseError
	switch {
	case errors.As(err, &status) && status.Response != nil && status.HTTPStatusCode() > 0:
		e.Why = "the endpoint answered " + oneLine(status.Response.Status) + " and nothing that STS would say"
		e.Advice = []string{"check that endpoint_url or AWS_ENDPOINT_URL_STS is an STS endpoint"}
	case errors.As(err, &dns):
		e.Why = "the name " + quoted(dns.Name) + " can't be found"
		e.Advice = []string{"check the network, and that the region exists"}
	case errors.As(err, &u):
		e.Why = oneLine(u.Err.Error())
		e.Advice = []string{"check the network, HTTPS_PROXY and AWS_CA_BUNDLE"}
		if to, err := url.Parse(u.URL); err == nil && isLoopback(to.Hostname()) {
			e.Advice = []string{"an endpoint_url or AWS_ENDPOINT_URL_STS names " + quoted(to.Scheme+"://"+to.Host) + " on this machine: is what served there still running?"}
		}
	default:
		e.Why = oneLine(rootOf(err).Error())
	}
	return e
}

// isLoopback tells this machine's own addresses: what is served there is somebody's, and not AWS's.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func rootOf(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

func requestID(err error) string {
	var r *awshttp.ResponseError
	if errors.As(err, &r) {
		return oneLine(r.ServiceRequestID())
	}
	return ""
}

// adviceFor is what helps against an error code of STS.
// Source: STS API reference, common errors.
func adviceFor(code, message string) []string {
	switch code {
	case "ExpiredToken", "ExpiredTokenException":
		return []string{"the caller's own credentials have expired: log in again, or renew them at their source"}
	case "InvalidClientTokenId", "UnrecognizedClientException":
		return []string{"the access key is unknown there: is it deleted or inactive, of another partition, or is the region an opt-in region that is not enabled?"}
	case "SignatureDoesNotMatch":
		return []string{"the secret key does not belong to the access key, or this machine's clock is far off"}
	case "RegionDisabledException":
		return []string{"STS is not activated in this region for the account: enable the region, or set region to one that is"}
	case "PackedPolicyTooLarge", "PackedPolicyTooLargeException":
		return []string{"session policies and tags together are too large: shorten them"}
	case "MalformedPolicyDocument", "MalformedPolicyDocumentException":
		return []string{"STS can't read the session policy: see session_policy_file or --policy-file"}
	case "ValidationError":
		if durationForm.MatchString(message) {
			return []string{"the role's MaxSessionDuration, or the hour that role chaining allows, is shorter: lower duration_seconds or --duration"}
		}
	}
	return nil
}

var durationForm = newForm(`(?i)DurationSeconds|MaxSessionDuration|1 hour session limit`)
