package assume

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go/middleware"
)

// roleStep is the plan's i-th AssumeRole.
func (r *Runner) roleStep(plan Plan, i int, key Fingerprint) Step {
	call := plan.Calls[i]
	at := place{call: &call, hop: i + 1, hops: len(plan.Calls), mfa: call.MFASerial != "" || (i == 0 && plan.MFASession != nil)}
	return Step{
		Key: key, Kind: "role", Profile: call.Profile, RoleARN: call.Role.String(), Asked: call.Duration,
		NeedsPerson: call.MFASerial != "" && call.MFAProcess == "" && !plan.MFACode.IsSet(),
		Exchange: func(ctx context.Context, caller Session) (Session, error) {
			if call.MFASerial == "" {
				return r.assumeRole(ctx, call.input(), caller, at)
			}
			q := CodeQuestion{Profile: call.Profile, Serial: call.MFASerial, For: call.Role.String()}
			return r.withCode(ctx, plan.MFACode, call.MFAProcess, q, func(code string) (Session, error) {
				in := call.input()
				in.SerialNumber, in.TokenCode = aws.String(call.MFASerial), aws.String(code)
				return r.assumeRole(ctx, in, caller, at)
			})
		},
	}
}

func (r *Runner) assumeRole(ctx context.Context, in *sts.AssumeRoleInput, caller Session, at place) (Session, error) {
	var out *sts.AssumeRoleOutput
	err := within(ctx, r.deps.Timeout, func(ctx context.Context) (err error) {
		out, err = r.sts.AssumeRole(ctx, in, signedBy(caller))
		return err
	})
	r.logCall(at, err)
	if err != nil {
		return Session{}, at.explain(err)
	}
	s, err := sessionOf(out.Credentials, out.AssumedRoleUser, out.SourceIdentity, at)
	s.skew = r.noticeSkew(out.ResultMetadata)
	return r.checked(s, err, out.ResultMetadata, at)
}

// checked is the last look at an answer before it is used.
func (r *Runner) checked(s Session, err error, metadata middleware.Metadata, at place) (Session, error) {
	if err == nil {
		err = at.stillGood(s, r.deps.Now(), metadata)
	}
	if err != nil {
		return Session{}, err
	}
	if s.ARN != "" && at.call != nil && !isSessionOf(s.ARN, at.call.Role) {
		// The endpoint is trusted to say whose session it gives: stand-ins for STS answer any name. A person is told.
		r.deps.Notice("warning: asked for " + at.call.Role.String() + ", the endpoint gave a session of " + oneLine(s.ARN))
	}
	return s, nil
}

// input writes the call as STS's parameters; what is not set is not sent, as
// the AWS CLI does.
func (c *Call) input() *sts.AssumeRoleInput {
	in := &sts.AssumeRoleInput{
		RoleArn:           aws.String(c.Role.String()),
		RoleSessionName:   aws.String(c.SessionName),
		ExternalId:        textOrNil(c.ExternalID),
		SourceIdentity:    textOrNil(c.SourceIdentity),
		Policy:            textOrNil(c.Policy),
		PolicyArns:        c.policyTypes(),
		DurationSeconds:   c.durationOrNil(),
		TransitiveTagKeys: c.TransitiveTags,
	}
	for _, t := range c.Tags {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(t.Key), Value: aws.String(t.Value)})
	}
	return in
}

func (c *Call) policyTypes() []types.PolicyDescriptorType {
	var out []types.PolicyDescriptorType
	for _, arn := range c.PolicyARNs {
		out = append(out, types.PolicyDescriptorType{Arn: aws.String(arn)})
	}
	return out
}

func (c *Call) durationOrNil() *int32 {
	if c.Duration == 0 {
		return nil
	}
	return aws.Int32(int32(c.Duration / time.Second))
}

func textOrNil(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// sessionOf checks STS's answer: a server that leaves a field out must not turn
// into empty credentials.
func sessionOf(c *types.Credentials, user *types.AssumedRoleUser, identity *string, at place) (Session, error) {
	if c == nil || aws.ToString(c.AccessKeyId) == "" || aws.ToString(c.SecretAccessKey) == "" || aws.ToString(c.SessionToken) == "" || c.Expiration == nil {
		return Session{}, at.broken("the answer has no complete credentials in it")
	}
	s := Session{
		AccessKeyID:     *c.AccessKeyId,
		SecretAccessKey: NewSecret(*c.SecretAccessKey),
		SessionToken:    NewSecret(*c.SessionToken),
		Expires:         c.Expiration.UTC(),
		SourceIdentity:  aws.ToString(identity),
	}
	if user != nil {
		s.ARN = aws.ToString(user.Arn)
		s.AccountID = accountOf(s.ARN)
	}
	return s, nil
}

// isSessionOf tells whether a session's ARN is one of this role. It has the
// role's account and name; its path is left out.
func isSessionOf(session string, role ARN) bool {
	return strings.HasPrefix(session, "arn:"+role.Partition+":sts::"+role.Account+":assumed-role/"+role.Name+"/")
}

// stillGood refuses a session that has ended before it was handed out, by AWS's
// own clock.
func (p place) stillGood(s Session, now time.Time, metadata middleware.Metadata) error {
	skew, _ := skewOf(metadata)
	if !s.Expires.IsZero() && !s.Expires.After(now.Add(skew)) {
		return p.broken("the credentials in the answer ended at " + s.Expires.Format(time.RFC3339))
	}
	return nil
}

// mfaStep is the GetSessionToken call whose session carries MFA to many roles.
func (r *Runner) mfaStep(plan Plan, key Fingerprint) Step {
	m := *plan.MFASession
	at := place{what: "sts:GetSessionToken", profile: m.Profile, mfa: true}
	return Step{
		Key: key, Kind: "mfa", Profile: m.Profile, Asked: m.Duration,
		NeedsPerson: m.Process == "" && !plan.MFACode.IsSet(),
		Exchange: func(ctx context.Context, caller Session) (Session, error) {
			q := CodeQuestion{Profile: m.Profile, Serial: m.Serial, For: "a session of " + Spell(m.Duration)}
			return r.withCode(ctx, plan.MFACode, m.Process, q, func(code string) (Session, error) {
				in := &sts.GetSessionTokenInput{SerialNumber: &m.Serial, TokenCode: &code, DurationSeconds: aws.Int32(int32(m.Duration / time.Second))}
				return r.sessionToken(ctx, in, caller, at)
			})
		},
	}
}

func (r *Runner) sessionToken(ctx context.Context, in *sts.GetSessionTokenInput, caller Session, at place) (Session, error) {
	var out *sts.GetSessionTokenOutput
	err := within(ctx, r.deps.Timeout, func(ctx context.Context) (err error) {
		out, err = r.sts.GetSessionToken(ctx, in, signedBy(caller))
		return err
	})
	r.logCall(at, err)
	if err != nil {
		return Session{}, at.explain(err)
	}
	s, err := sessionOf(out.Credentials, nil, nil, at)
	s.skew = r.noticeSkew(out.ResultMetadata)
	s.AccountID, s.ARN = caller.AccountID, caller.ARN
	return s, err
}

// Identity is GetCallerIdentity's answer.
type Identity struct{ Account, ARN, UserID string }

// WhoAmI asks STS whose credentials these are. It needs no permission.
func (r *Runner) WhoAmI(ctx context.Context, s Session) (Identity, error) {
	if err := r.ready(); err != nil {
		return Identity{}, err
	}
	var out *sts.GetCallerIdentityOutput
	err := within(ctx, r.deps.Timeout, func(ctx context.Context) (err error) {
		out, err = r.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, signedBy(s))
		return err
	})
	if err != nil {
		return Identity{}, place{what: "sts:GetCallerIdentity"}.explain(err)
	}
	r.noticeSkew(out.ResultMetadata)
	return Identity{aws.ToString(out.Account), aws.ToString(out.Arn), aws.ToString(out.UserId)}, nil
}

// noticeSkew reports a clock that is off by as much as would have failed the
// call: the SDK has corrected it once by then. It returns how far AWS's clock
// is ahead, or zero for what the way there and back may account for.
func (r *Runner) noticeSkew(metadata middleware.Metadata) time.Duration {
	skew, ok := skewOf(metadata)
	if !ok || skew.Abs() < skewWorthKnowing {
		return 0
	}
	if skew.Abs() > skewWorthTelling {
		way := "behind"
		if skew < 0 {
			way = "ahead of"
		}
		r.deps.Notice("this machine's clock is " + skew.Abs().Round(10*time.Second).String() + " " + way + " AWS's; the call was signed with AWS's time")
	}
	return skew
}

// logCall tells --debug of a call and its outcome.
func (r *Runner) logCall(at place, err error) {
	role := ""
	if at.call != nil {
		role = at.call.Role.String()
	}
	if err != nil {
		r.deps.Log.Debug("call failed", "action", at.action(), "role", role, "request_id", requestID(err))
		return
	}
	r.deps.Log.Debug("call", "action", at.action(), "role", role)
}
