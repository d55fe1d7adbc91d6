package assume

import (
	"time"

	"crossrole/internal/profile"
)

// Plan is everything that will happen, before it happens: who calls what with
// which parameters, where, and what will be asked of a person. It is plain
// data; making one reads no network.
type Plan struct {
	Profile string
	Source  profile.Source
	// Exchange is the AssumeRoleWithWebIdentity call of a web identity source.
	Exchange *Call
	// MFASession is the GetSessionToken call that one MFA code pays for, when
	// the plan gains by it; the hops then send no code of their own.
	MFASession *MFASession
	Calls      []Call
	Where      Where
	Warnings   []string
	// MFACode was given on the command line; it is sent once.
	MFACode Secret
}

// Call is one AssumeRole (or AssumeRoleWithWebIdentity) and its parameters.
type Call struct {
	Profile        string
	Role           ARN
	SessionName    string
	ExternalID     string
	MFASerial      string
	MFAProcess     string
	Duration       time.Duration // zero: not sent, and STS gives 3600 s
	SourceIdentity string
	Tags           []Tag
	TransitiveTags []string
	Policy         string // JSON text
	PolicyARNs     []string
}

// Tag is one session tag.
type Tag struct{ Key, Value string }

// MFASession is one GetSessionToken call: its credentials carry MFA to every
// hop that starts from the same user.
type MFASession struct {
	Serial   string
	Process  string
	Duration time.Duration
	Profile  string // whose mfa_serial it is
}

// Where says where STS is called.
type Where struct {
	Region       string
	RegionFrom   profile.Origin // zero: the role's partition decided
	Endpoint     string         // a configured URL; empty for AWS's own
	EndpointFrom profile.Origin
	Global       bool // sts_regional_endpoints = legacy
	FIPS         bool
	Dualstack    bool
	CABundle     string
}

// Overrides are the values of the command line; they beat the profile's. Zero
// values override nothing.
type Overrides struct {
	RoleARN        string
	ExternalID     string
	MFASerial      string
	MFACode        string
	Duration       string
	SessionName    string
	SourceIdentity string
	Tags           []string // k=v
	TransitiveTags []string
	PolicyFile     string
	PolicyARNs     []string
	Region         string
	Endpoint       string
	// Who is calling: it makes the default session name.
	Who string
	// ReadFile reads session policy files.
	ReadFile func(name string) ([]byte, error)
	// SharedMFA tells that other roles use the same MFA device, so that one
	// code for a GetSessionToken session serves them all.
	SharedMFA func(serial string) bool
}

// NewPlan makes the plan of a chain. Errors are *InvalidError: the first value
// that STS would refuse, with its origin.
func NewPlan(chain profile.Chain, o Overrides) (Plan, error) {
	if chain.Source.Kind == "" {
		return Plan{}, &InvalidError{
			Profile: chain.Name, Field: "credentials", Why: "the profile has neither a role nor credentials",
			Advice: []string{"give it role_arn and source_profile, or keys; `crossrole list` shows the profiles there are"},
		}
	}
	hops, err := hopsOf(chain, o)
	if err != nil {
		return Plan{}, err
	}
	plan := Plan{Profile: chain.Name, Source: chain.Source, MFACode: NewSecret(o.MFACode)}
	if o.MFACode != "" {
		if err := CheckCode(o.MFACode); err != nil {
			return Plan{}, &InvalidError{Field: "--mfa-code", Why: err.Error()}
		}
	}
	if role := chain.Source.Role; role != nil {
		call, err := newCall(*role, o.Who, o.ReadFile)
		if err != nil {
			return Plan{}, err
		}
		plan.Exchange = &call
	}
	for i, hop := range hops {
		call, err := newCall(hop, o.Who, o.ReadFile)
		if err != nil {
			return Plan{}, err
		}
		if err := plan.add(i, call, hop); err != nil {
			return Plan{}, err
		}
	}
	if plan.Where, err = whereOf(chain.Settings, o, plan.firstRole()); err != nil {
		return Plan{}, err
	}
	plan.shareMFA(o)
	return plan, nil
}

// add appends a call and bends it to what a chain allows.
func (p *Plan) add(i int, call Call, hop profile.Hop) error {
	if call.MFASerial != "" && (i > 0 || p.sourceIsRole()) {
		return &InvalidError{
			Profile: call.Profile, Field: "mfa_serial", Value: call.MFASerial, Origin: hop.MFASerial.Origin,
			Why:    "MFA can't work here: only an IAM user's own credentials can send a code, and the caller of this hop is a role",
			Advice: []string{"move mfa_serial to the hop that starts from the user, or remove it"},
		}
	}
	if call.Duration > maxChained && (i > 0 || p.sourceIsRole()) {
		p.Warnings = append(p.Warnings, "profile "+quoted(call.Profile)+": duration "+Spell(call.Duration)+
			" shortened to 1h: AWS allows no more when the caller is itself a role")
		call.Duration = maxChained
	}
	p.Calls = append(p.Calls, call)
	return nil
}

// sourceIsRole tells sources whose credentials are always those of an assumed
// role, so that the first hop already is role chaining.
func (p *Plan) sourceIsRole() bool {
	switch p.Source.Kind {
	case profile.SourceEC2, profile.SourceContainer, profile.SourceSSO, profile.SourceWebIdentity, profile.SourceGitHub:
		return true
	default:
		return false
	}
}

// firstRole is the role that decides the partition.
func (p *Plan) firstRole() ARN {
	if p.Exchange != nil {
		return p.Exchange.Role
	}
	if len(p.Calls) > 0 {
		return p.Calls[0].Role
	}
	return ARN{}
}

// shareMFA trades the first hop's MFA code for a session that other roles of
// the same user can use, where that costs nothing: a session of
// GetSessionToken caps what it assumes at an hour, so a longer one stays one
// AssumeRole with its own code.
func (p *Plan) shareMFA(o Overrides) {
	if len(p.Calls) == 0 || p.Calls[0].MFASerial == "" || o.SharedMFA == nil {
		return
	}
	first := &p.Calls[0]
	if p.Source.Kind != profile.SourceStatic || p.Source.Properties["aws_session_token"].Text != "" ||
		first.Duration > maxChained || !o.SharedMFA(first.MFASerial) {
		return
	}
	p.MFASession = &MFASession{Serial: first.MFASerial, Process: first.MFAProcess, Duration: maxDuration, Profile: first.Profile}
	first.MFASerial, first.MFAProcess = "", ""
}

// NeedsPerson tells whether a person will be asked for an MFA code.
func (p *Plan) NeedsPerson() bool {
	if p.MFACode.IsSet() {
		return false
	}
	if p.MFASession != nil {
		return p.MFASession.Process == ""
	}
	return len(p.Calls) > 0 && p.Calls[0].MFASerial != "" && p.Calls[0].MFAProcess == ""
}
