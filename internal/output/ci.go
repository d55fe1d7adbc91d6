package output

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// delimiterBytes makes a delimiter that no value holds by accident, and that
// nobody who chooses a value can guess.
const delimiterBytes = 16

// GitHubFiles makes the two texts for a GitHub job: masks, to be printed to
// stdout before anything else happens, and the lines to append to the file
// $GITHUB_ENV for the job's later steps. random makes the delimiters of that
// file (crypto/rand.Reader); a failure to read it is returned.
//
// The file can't take a variable away, and an empty AWS_PROFILE breaks
// botocore: so the rivals are left out, and an unset AWS_SESSION_TOKEN is
// written empty, which clears the one of a role assumed before.
func GitHubFiles(c Credentials, random io.Reader) (masks, env string, err error) {
	for _, secret := range []string{c.AccessKeyID, c.SecretAccessKey, c.SessionToken} {
		if secret != "" {
			masks += "::add-mask::" + commandData(secret) + "\n"
		}
	}
	var b strings.Builder
	for _, v := range Variables(c) {
		if v.Unset && v.Name != "AWS_SESSION_TOKEN" {
			continue
		}
		if err := needUTF8(v); err != nil {
			return "", "", withFormat(err, GitHub)
		}
		delimiter, err := newDelimiter(random, v.Value)
		if err != nil {
			return "", "", err
		}
		fmt.Fprintf(&b, "%s<<%s\n%s\n%s\n", v.Name, delimiter, v.Value, delimiter)
	}
	return masks, b.String(), nil
}

func newDelimiter(random io.Reader, value string) (string, error) {
	for {
		raw := make([]byte, delimiterBytes)
		if _, err := io.ReadFull(random, raw); err != nil {
			return "", fmt.Errorf("making a delimiter for the file of GitHub's variables: %w", err)
		}
		delimiter := "crossrole_" + hex.EncodeToString(raw)
		if !strings.Contains(value, delimiter) {
			return delimiter, nil
		}
	}
}

// commandData escapes the data of a workflow command as the runner unescapes
// it, so that it stays one line.
func commandData(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(text)
}

// gitlab writes a dotenv report: later jobs of the pipeline get its lines as
// variables. GitLab's reader knows no quotes, no blank in a value, no empty
// line and no comment, and expands $ when the variable is used. It can't take a
// variable away, and an empty value is no value to it.
func gitlab(c Credentials) (string, error) {
	set, _ := split(Variables(c))
	var b strings.Builder
	for _, v := range set {
		if err := gitlabValue(v); err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s=%s\n", v.Name, v.Value)
	}
	return b.String(), nil
}

func gitlabValue(v Variable) error {
	for _, refused := range []struct{ chars, why string }{
		{"\x00", aNUL},
		{"\r\n", aNewline},
		{" \t", "a blank"},
		{`'"`, "a quote"},
		{"$", "a dollar sign"},
		{`\`, "a backslash"},
	} {
		if strings.ContainsAny(v.Value, refused.chars) {
			return &ValueError{Variable: v.Name, Why: refused.why}
		}
	}
	switch {
	case strings.ContainsFunc(v.Value, isControl):
		return &ValueError{Variable: v.Name, Why: aControl}
	case !utf8.ValidString(v.Value):
		return &ValueError{Variable: v.Name, Why: notUTF8}
	}
	return nil
}
