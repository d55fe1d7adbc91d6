package output

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The formats, by the names that people know from
// `aws configure export-credentials`, and our own.
const (
	Env         = "env"
	EnvNoExport = "env-no-export"
	Fish        = "fish"
	PowerShell  = "powershell"
	WindowsCmd  = "windows-cmd"
	Nushell     = "nushell"
	Dotenv      = "dotenv"
	Process     = "process"
	JSON        = "json"
	GitHub      = "github"
	GitLab      = "gitlab"
)

// ErrTwoTexts is Render's answer to the format github, whose masks and
// variables go to different places: see GitHubFiles.
var ErrTwoTexts = errors.New("the format github is two texts")

// format is one way to write credentials. A *ValueError of render need not know
// the format's name. kept are the variables that the text shall keep the values
// of; only shells can.
type format struct {
	name   string
	render func(c Credentials, kept []string) (string, error)
}

var formats = []format{
	{Env, func(c Credentials, kept []string) (string, error) { return posix(shellVariables(c), kept, true) }},
	{EnvNoExport, func(c Credentials, kept []string) (string, error) { return posix(shellVariables(c), kept, false) }},
	{Fish, func(c Credentials, kept []string) (string, error) { return fish(shellVariables(c), kept) }},
	{PowerShell, func(c Credentials, kept []string) (string, error) { return powershell(shellVariables(c), kept) }},
	{WindowsCmd, func(c Credentials, _ []string) (string, error) { return windowsCmd(shellVariables(c)) }},
	{Nushell, func(c Credentials, kept []string) (string, error) { return nushell(shellVariables(c), kept) }},
	{Dotenv, func(c Credentials, _ []string) (string, error) { return dotenv(c) }},
	{Process, func(c Credentials, _ []string) (string, error) { return process(c) }},
	{JSON, func(c Credentials, _ []string) (string, error) { return document(c) }},
	{GitHub, func(Credentials, []string) (string, error) { return "", ErrTwoTexts }},
	{GitLab, func(c Credentials, _ []string) (string, error) { return gitlab(c) }},
}

// Formats lists the formats in the order that help shows them.
func Formats() []string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = f.name
	}
	return names
}

// Render writes the credentials in one of the Formats, ended by a newline. A
// value that the format can't express is a *ValueError, and then there is no
// text at all. An unknown format is a *FormatError. The formats of shells keep
// the variables that are named in kept (see Kept) for Restore.
func Render(name string, c Credentials, kept ...string) (string, error) {
	i := slices.IndexFunc(formats, func(f format) bool { return f.name == name })
	if i < 0 {
		return "", &FormatError{Name: name}
	}
	text, err := formats[i].render(c, kept)
	if err != nil {
		return "", withFormat(err, name)
	}
	return text, nil
}

// FormatError names a format that does not exist.
type FormatError struct{ Name string }

func (e *FormatError) Error() string { return "unknown format " + strconv.Quote(e.Name) }

// Hints lists the formats.
func (e *FormatError) Hints() []string {
	return []string{"it is one of " + strings.Join(Formats(), ", ")}
}

// ValueError says that a format can't express a value exactly. It names the
// variable and what is in the way, never the value: it may be a secret.
type ValueError struct {
	Format   string
	Variable string
	Why      string // what is in the value
}

func (e *ValueError) Error() string {
	return "writing the format " + e.Format + ": the value of " + e.Variable + " holds " + e.Why + ", which this format can't express"
}

// Hints says what to do instead.
func (e *ValueError) Hints() []string {
	if e.Variable == "CROSSROLE_PROFILE" {
		return []string{"give the profile a plainer name", "--format json can express every name"}
	}
	return []string{"another --format may express it"}
}

func withFormat(err error, name string) error {
	if v, ok := errors.AsType[*ValueError](err); ok {
		v.Format = name
	}
	return err
}

// What no format, or not every format, can express.
const (
	aNUL     = "a NUL byte"
	aNewline = "a line break"
	aControl = "a control character"
	notUTF8  = "bytes that are not UTF-8"
	notASCII = "a character outside ASCII"
)

// needUTF8 refuses what a text of Unicode characters can't hold.
func needUTF8(v Variable) error {
	switch {
	case strings.IndexByte(v.Value, 0) >= 0:
		return &ValueError{Variable: v.Name, Why: aNUL}
	case !utf8.ValidString(v.Value):
		return &ValueError{Variable: v.Name, Why: notUTF8}
	}
	return nil
}

// isControl tells the control characters of ASCII.
func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// isPlain tells a text that means itself in every shell and file that we write,
// unquoted too: no blank, no quote, nothing that globs or expands.
func isPlain(text string) bool {
	for i := range len(text) {
		if !plainByte(text[i]) {
			return false
		}
	}
	return true
}

func plainByte(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || strings.IndexByte("_-./:=+,@%", b) >= 0
}
