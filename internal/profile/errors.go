package profile

import (
	"errors"
	"fmt"
	"strings"

	"crossrole/internal/disk"
)

// What can be wrong with a whole file; a *FileError wraps them.
var (
	ErrIsDirectory = errors.New("is a directory")
	ErrNotRegular  = errors.New("is not a regular file")
	ErrTooLarge    = fmt.Errorf("is larger than %d MB", MaxFileSize>>20)
	ErrNUL         = errors.New("has a NUL byte, so it is no text")
	ErrUTF16       = errors.New("is UTF-16, and must be UTF-8")
)

// Hinter is an error that also knows what a person can do about it.
type Hinter interface {
	error
	// Hints gives whole sentences without a final full stop.
	Hints() []string
}

// HomeError says that a path needs the home folder, and there is none.
type HomeError struct {
	For      string // the path wanted
	Variable string // the environment variable that could name another one
}

func (e *HomeError) Error() string {
	return fmt.Sprintf("finding %s: no home folder (HOME is not set)", quote(e.For))
}

// Hints implements Hinter.
func (e *HomeError) Hints() []string {
	return []string{"set HOME, or AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE"}
}

// FileError says that a shared file could not be read.
type FileError struct {
	Path string
	From string // what named the path, if it was not the default
	Err  error
}

func (e *FileError) Error() string {
	return "reading " + quote(e.Path) + ": " + e.Err.Error()
}

// Unwrap gives the cause, such as ErrIsDirectory or fs.ErrPermission.
func (e *FileError) Unwrap() error { return e.Err }

// SyntaxError is a line that cannot be read.
type SyntaxError struct {
	Origin  Origin
	Section string // the header it stands under; empty above the first one
	Problem string
}

func (e *SyntaxError) Error() string {
	if e.Section == "" {
		return fmt.Sprintf("%s: %s", e.Origin.quoted(), e.Problem)
	}
	return fmt.Sprintf("%s: section [%s]: %s", e.Origin.quoted(), printable(e.Section), e.Problem)
}

// UnknownProfileError says that nobody defines a profile of this name.
type UnknownProfileError struct {
	Name  string
	From  string // the profile whose source_profile names it, if any
	Where Origin // of that source_profile, or of $AWS_PROFILE
	Files []string
	// Almost is a header that was meant to define it and does not.
	Almost       Origin
	AlmostReason string
	names        []string // all that are defined
}

// Near gives the defined names that look alike, the nearest first.
func (e *UnknownProfileError) Near() []string { return near(e.Name, e.names) }

func (e *UnknownProfileError) Error() string {
	var b strings.Builder
	if e.From != "" {
		fmt.Fprintf(&b, "%s: profile %s: source_profile %s", e.Where.quoted(), quote(e.From), quote(e.Name))
	} else {
		fmt.Fprintf(&b, "profile %s", quote(e.Name))
	}
	b.WriteString(" does not exist")
	if len(e.Files) > 0 && e.From == "" {
		fmt.Fprintf(&b, " in %s", strings.Join(quoteAll(e.Files), " or "))
	}
	return b.String()
}

// Hints implements Hinter.
func (e *UnknownProfileError) Hints() []string {
	var hints []string
	if e.AlmostReason != "" {
		hints = append(hints, fmt.Sprintf("%s: %s", e.Almost.quoted(), e.AlmostReason))
	}
	if similar := e.Near(); len(similar) > 0 {
		hints = append(hints, "did you mean "+strings.Join(quoteAll(similar), ", ")+"?")
	}
	if e.From != "" && validName(e.Name) {
		hints = append(hints, "aws configure --profile "+e.Name+" writes it, with a user's keys")
	}
	if len(e.names) == 0 {
		return append(hints, "there are no profiles yet: crossrole setup NAME writes one, and aws configure a user's keys")
	}
	if e.Name == "default" && e.Where == (Origin{}) {
		hints = append(hints, "name a profile, or set AWS_PROFILE")
	}
	return append(hints, "crossrole list shows the profiles there are")
}

// CycleError says that source_profile leads back to a profile already met.
type CycleError struct {
	Names   []string // from the first profile to the one met again
	Origins []Origin // of each source_profile on the way
}

func (e *CycleError) Error() string {
	at := e.Origins[len(e.Origins)-1]
	names := make([]string, len(e.Names))
	for i, name := range e.Names {
		names[i] = printable(name)
	}
	if len(names) == 2 && names[0] == names[1] {
		return fmt.Sprintf("%s: profile %s is its own source_profile and has no keys of its own: cycle %s",
			at.quoted(), quote(e.Names[0]), strings.Join(names, "→"))
	}
	return fmt.Sprintf("%s: the source profiles form a cycle: %s", at.quoted(), strings.Join(names, "→"))
}

// ConfigError says that a profile's keys don't make a chain.
type ConfigError struct {
	Profile string
	Key     string // the key at fault, or the one that is missing
	Origin  Origin // of that key, or of the profile's header
	Reason  ConfigReason
	Problem string
	hints   []string
}

// ConfigReason is the kind of a ConfigError.
type ConfigReason string

// The kinds of ConfigError.
const (
	ReasonNoSource       ConfigReason = "no_source"            // role_arn with neither source_profile nor credential_source
	ReasonTwoSources     ConfigReason = "two_sources"          // role_arn with both
	ReasonNoRole         ConfigReason = "no_role"              // a token file or a source without role_arn
	ReasonNoCredentials  ConfigReason = "no_credentials"       // a source profile without any
	ReasonHalfFilled     ConfigReason = "half_filled"          // one of two keys, part of the sso settings
	ReasonUnknownSource  ConfigReason = "unknown_source"       // credential_source of another name
	ReasonMissingSection ConfigReason = "missing_section"      // sso_session or services names no section
	ReasonContradiction  ConfigReason = "contradiction"        // two places say different things
	ReasonBadValue       ConfigReason = "bad_value"            // a value that cannot be understood
	ReasonInherited      ConfigReason = "inherited_by_aws_cli" // [DEFAULT] changes what the AWS CLI does
)

func (e *ConfigError) Error() string {
	return fmt.Sprintf("%s: profile %s: %s", e.Origin.quoted(), quote(e.Profile), e.Problem)
}

// Hints implements Hinter.
func (e *ConfigError) Hints() []string { return e.hints }

// NoSourceError says that a bare role ARN has no credentials to start from.
type NoSourceError struct{ RoleARN string }

func (e *NoSourceError) Error() string {
	return fmt.Sprintf("assuming %s: no source of credentials: none in the environment, and no usable profile", quote(e.RoleARN))
}

// Hints implements Hinter.
func (e *NoSourceError) Hints() []string {
	return []string{"name one with --source-profile"}
}

// IsConfiguration tells an error that the user's files or names cause from
// one of the disk.
func IsConfiguration(err error) bool {
	if e, ok := errors.AsType[*EditError](err); ok {
		return e.Refused()
	}
	if disk.Trouble(err) {
		return false
	}
	return anyAs[*HomeError](err) || anyAs[*FileError](err) || anyAs[*SyntaxError](err) ||
		anyAs[*UnknownProfileError](err) || anyAs[*CycleError](err) || anyAs[*ConfigError](err) ||
		anyAs[*NoSourceError](err)
}

func anyAs[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// quoted is the origin with a hostile path made harmless.
func (o Origin) quoted() string { return printable(o.String()) }

// printable leaves ordinary text as it is and quotes what would disturb a
// terminal or a log.
func printable(text string) string {
	if q := fmt.Sprintf("%+q", text); len(q) == len(text)+2 || isPrintable(text) {
		return text
	}
	return fmt.Sprintf("%q", text)
}

func quote(text string) string {
	return fmt.Sprintf("%q", text)
}

func quoteAll(texts []string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = quote(t)
	}
	return out
}
