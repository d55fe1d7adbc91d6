package assume

import (
	"strconv"
	"strings"

	"crossrole/internal/profile"
)

// quoted makes any text safe to show on a terminal, in one line.
func quoted(text string) string { return strconv.Quote(text) }

// InvalidError is a value of a profile, the environment or a flag that STS
// would refuse. It is found before anything is called.
type InvalidError struct {
	Profile string         // the hop's profile; may be empty
	Field   string         // the profile key, or the flag with its dashes
	Value   string         // as written; never a secret
	Origin  profile.Origin // where it was written; zero for a flag
	Why     string
	Advice  []string
}

func (e *InvalidError) Error() string {
	var b strings.Builder
	if e.Profile != "" {
		b.WriteString("profile " + quoted(e.Profile) + ": ")
	}
	b.WriteString(e.Field)
	if e.Value != "" {
		b.WriteString(" " + quoted(clip(e.Value)))
	}
	if (e.Origin != profile.Origin{}) {
		b.WriteString(" (" + e.Origin.String() + ")")
	}
	b.WriteString(": " + e.Why)
	return b.String()
}

// Hints says what to do about it.
func (e *InvalidError) Hints() []string { return e.Advice }

// clip keeps a value in an error to a line a person can read.
func clip(text string) string { return clipTo(120, text) }

func clipTo(most int, text string) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// PersonError says that a person is needed: an MFA code, or a login.
type PersonError struct {
	Doing  string
	Why    string
	Advice []string
	Err    error
}

func (e *PersonError) Error() string { return e.Doing + ": " + e.Why }

// Unwrap gives the cause, if there is one.
func (e *PersonError) Unwrap() error { return e.Err }

// Hints says what the person can do.
func (e *PersonError) Hints() []string { return e.Advice }

// SourceError is a source that gave no credentials.
type SourceError struct {
	Profile string
	Kind    profile.SourceKind
	Why     string
	Advice  []string
	Err     error
}

func (e *SourceError) Error() string {
	from := "the environment"
	if e.Profile != "" {
		from = "profile " + quoted(e.Profile)
	}
	return "getting source credentials (" + string(e.Kind) + ") of " + from + ": " + e.Why
}

// Unwrap gives the cause.
func (e *SourceError) Unwrap() error { return e.Err }

// Hints says what to do about it.
func (e *SourceError) Hints() []string { return e.Advice }

// DeniedError is AWS's refusal of one hop. It tells what was asked and by whom,
// and guesses no side.
type DeniedError struct {
	Action         string // as AWS names it: sts:AssumeRole, sts:TagSession, …
	Caller         string // ARN as AWS names it; may be empty
	RoleARN        string
	Profile        string
	Hop, Hops      int // 1-based
	ExternalIDSent bool
	MFASent        bool
	TagsSent       bool
	IdentitySent   bool
	Code           string
	Message        string // AWS's own sentence
	RequestID      string
	Err            error
}

func (e *DeniedError) Error() string {
	who := e.Caller
	if who == "" {
		who = "the caller"
	}
	text := who + " is denied " + e.Action + " on " + e.RoleARN
	if e.Hops > 1 {
		text += " (hop " + strconv.Itoa(e.Hop) + " of " + strconv.Itoa(e.Hops) + ", profile " + quoted(e.Profile) + ")"
	}
	if e.takesExternalID() {
		text += "; external ID " + sent(e.ExternalIDSent) + ", MFA " + sent(e.MFASent)
	}
	if e.Code != "AccessDenied" && e.Code != "" {
		text += "; AWS says " + oneLine(e.Code) + ": " + oneLine(e.Message)
	} else if reason := reasonOf(e.Message); reason != "" {
		text += "; AWS says: " + reason
	}
	return text
}

// aboutRole tells calls that have a trust policy on the other side.
func (e *DeniedError) aboutRole() bool { return !strings.HasPrefix(e.Action, "organizations:") }

// Unwrap gives AWS's answer.
func (e *DeniedError) Unwrap() error { return e.Err }

func sent(yes bool) string {
	if yes {
		return "sent"
	}
	return "not sent"
}

// reasonOf gives what AWS adds to its bare sentence, if it adds anything.
func reasonOf(message string) string {
	if i := strings.Index(message, "because "); i >= 0 {
		return oneLine(message[i:])
	}
	if i := strings.Index(message, "with an explicit deny"); i >= 0 {
		return oneLine(message[i:])
	}
	if !strings.Contains(message, "is not authorized to perform") {
		return oneLine(message)
	}
	return ""
}

// Hints lists the likeliest causes for this pair of accounts, in the order in
// which they are worth checking.
func (e *DeniedError) Hints() []string {
	if e.badCode() {
		return []string{"a code works once: wait for the next one, and check that it is the device of mfa_serial"}
	}
	if !e.takesExternalID() {
		return e.federatedHints()
	}
	if !e.aboutRole() {
		return []string{"the caller must be of the organization's management account, or of a delegated administrator's, and its policies must allow " + e.Action}
	}
	hints := append(e.accountHints(), noSuchRoleHint)
	if !e.ExternalIDSent {
		hints = append(hints, "no external ID was sent: if the trust policy asks for sts:ExternalId, set external_id or --external-id")
	}
	if !e.MFASent {
		hints = append(hints, "no MFA code was sent: if a policy asks for MFA, set mfa_serial or --mfa-serial")
	}
	if e.TagsSent || e.IdentitySent {
		hints = append(hints, "session tags need sts:TagSession and a source identity needs sts:SetSourceIdentity, in the trust policy too")
	}
	return hints
}

// AWS does not tell who may not from what is not: it would tell strangers which roles there are.
const noSuchRoleHint = "a role that does not exist is denied in the same words: check its ARN, path included"

// badCode tells that the MFA code was wrong, or used before.
func (e *DeniedError) badCode() bool {
	return strings.Contains(e.Message, "invalid MFA one time pass code")
}

// takesExternalID tells the calls that an external ID and an MFA code can go
// with: what an IAM principal asks of a role.
func (e *DeniedError) takesExternalID() bool {
	switch e.Action {
	case "sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity":
		return true
	default:
		return false
	}
}

// federatedHints is for callers who are no IAM principal, or no role's.
func (e *DeniedError) federatedHints() []string {
	if e.Action != "sts:AssumeRoleWithWebIdentity" {
		return []string{"the caller's own policies must allow " + e.Action}
	}
	return []string{"the role's trust policy must name the identity provider (Federated), and its conditions must fit the token's aud and sub", noSuchRoleHint}
}

// accountHints says which sides must allow: both across accounts, and within
// one account either a trust policy that names the caller or both.
// Source: IAM user guide, cross-account policy evaluation logic.
func (e *DeniedError) accountHints() []string {
	caller, role := accountOf(e.Caller), accountOf(e.RoleARN)
	switch {
	case caller == "" || role == "":
		return []string{"the role's trust policy must let the caller in, and the caller's own policies must allow " + e.Action + " on it"}
	case caller == role:
		return []string{"caller and role are in the same account " + role + ": the trust policy must name the caller, or name the account while the caller's identity policy allows " + e.Action}
	default:
		return []string{"caller (account " + caller + ") and role (account " + role + ") are in different accounts: both must allow it, the role's trust policy and the caller's identity policy"}
	}
}

// oneLine keeps hostile text from a server to one printable line.
func oneLine(text string) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return ' '
		}
		return r
	}, text)
	return clipTo(400, strings.Join(strings.Fields(clean), " "))
}
