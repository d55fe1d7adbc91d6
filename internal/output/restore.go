package output

import (
	"slices"
	"strings"
)

// What a session's variables replace can be brought back by Restore. The values
// of before stay in the shell: in variables of its own that no child sees, put
// there and taken back by the shell itself. They never pass through us.

// keepable lists the variables that have a value of before, in the order in
// which they come back.
func keepable() []string {
	var names []string
	for _, v := range Variables(Credentials{Region: "any"}) {
		if v.Name != "CROSSROLE_PROFILE" {
			names = append(names, v.Name)
		}
	}
	slices.Sort(names)
	return names
}

// was names the shell's variable for the value of before.
func was(name string) string { return "CROSSROLE_WAS_" + strings.TrimPrefix(name, "AWS_") }

// SessionNames lists every variable that a session sets or takes away in a
// shell, and beside each the shell's variable for its value of before: "" for
// those that are a session's alone.
func SessionNames() (names, kept []string) {
	for _, name := range keepable() {
		names, kept = append(names, name), append(kept, was(name))
	}
	return append(names, "CROSSROLE_PROFILE", regionMark), append(kept, "", "")
}

// Kept lists which variables of an environment ("NAME=value" each) a session
// will replace, for Render to keep. In a shell that has a session already there
// are none: what was before it is kept there, and stays.
func Kept(environ []string) []string {
	var kept []string
	names := keepable()
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if name == "CROSSROLE_PROFILE" && value != "" {
			return nil
		}
		if slices.Contains(names, name) && !slices.Contains(kept, name) {
			kept = append(kept, name)
		}
	}
	slices.Sort(kept)
	return kept
}

var restores = map[string]func() string{
	Env: posixRestore, Fish: fishRestore, PowerShell: powershellRestore, WindowsCmd: cmdRestore, Nushell: nushellRestore,
}

// RestoreFormats lists the formats of Restore.
func RestoreFormats() []string { return []string{Env, Fish, PowerShell, WindowsCmd, Nushell} }

// Restore writes code for a shell that takes a session away and brings back what
// was there before, unset variables included. Where there is no session it
// changes nothing. A format that is no shell's is a *FormatError.
func Restore(name string) (string, error) {
	restore, ok := restores[name]
	if !ok {
		return "", &FormatError{Name: name}
	}
	return restore(), nil
}
