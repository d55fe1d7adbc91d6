package output

import (
	"fmt"
	"strings"
)

// dotenv writes KEY=VALUE lines for docker --env-file, compose, and the dotenv
// libraries of Node, Python, Ruby and Go.
//
// A file of variables can't take one away. An empty AWS_PROFILE is no way out:
// botocore then looks for a profile without a name and fails. So the rivals are
// left out, and only AWS_SESSION_TOKEN is written empty, which every SDK reads
// as none.
func dotenv(c Credentials) (string, error) {
	var b strings.Builder
	for _, v := range Variables(c) {
		if v.Unset && v.Name != "AWS_SESSION_TOKEN" {
			continue
		}
		word, err := dotenvQuote(v)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s=%s\n", v.Name, word)
	}
	return b.String(), nil
}

// dotenvQuote writes a value so that all of those readers agree on it, and a
// shell that sources the file, too. Plain values are bare (docker --env-file
// keeps quotes as they stand). Others go into single quotes, where nothing
// expands, or into double quotes if they hold a single quote and nothing that
// expands there: Ruby's library runs $(…) in double quotes.
func dotenvQuote(v Variable) (string, error) {
	if err := needUTF8(v); err != nil {
		return "", err
	}
	refuse := func(why string) (string, error) { return "", &ValueError{Variable: v.Name, Why: why} }
	switch value := v.Value; {
	case isPlain(value):
		return value, nil
	case strings.ContainsAny(value, "\r\n"):
		return refuse(aNewline)
	case strings.ContainsFunc(value, isControl):
		return refuse(aControl)
	case strings.Contains(value, `\`):
		return refuse("a backslash")
	case strings.Contains(value, "${"):
		return refuse("${") // Python's library expands it in any quotes
	case !strings.Contains(value, "'"):
		return "'" + value + "'", nil
	case strings.ContainsAny(value, "\"$`!"):
		return refuse("a single quote beside \", $, ` or !")
	default:
		return `"` + value + `"`, nil
	}
}
