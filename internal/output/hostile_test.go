package output

import (
	"math/rand/v2"
	"strings"
	"time"
)

// plain are credentials as AWS makes them.
func plain() Credentials {
	return Credentials{
		AccessKeyID:     "ASIAEXAMPLEKEY000001",
		SecretAccessKey: "wJalr/XUtnFEMI+K7MDENG=bPxRfiCYEXAMPLEKEY",
		SessionToken:    "FwoGZXIvYXdzEBYaDK//token+with/slashes==",
		Expires:         time.Date(2026, 3, 1, 13, 0, 0, 999, time.FixedZone("", 3600)),
		Region:          "eu-west-1",
		Profile:         "prod",
		AccountID:       "222222222222",
		ARN:             "arn:aws:sts::222222222222:assumed-role/RoleB/me",
	}
}

func named(profile string) Credentials {
	c := plain()
	c.Profile = profile
	return c
}

// canary is the file that a value makes in the current folder if it ever runs.
const canary = "canary"

// hostile are values that break one quoting or another.
var hostile = []string{
	"A B", " leading", "trailing ", "two  blanks", "   ", "\t", "tab\tin", "a\nb", "\n", "\n\n", "a\n\n", "\n a", "a\r\nb", "\r", "x",
	"'", "''", `"`, `'"'`, `\`, `\\`, `a\`, `\'`, `\"`, `'\''`, `\n`, `\101`, `\x41`, `a\b c`, "`", "``", "^", "a^b", "a^&b", "%", "%%", "%PATH%", "%s%n", "%1$s",
	"$", "$$", "$HOME", "${HOME}", "$(touch canary)", "`touch canary`", "';touch canary;'", "\";touch canary;\"", "'\ntouch canary\n'", "';touch canary #", "\ntouch canary\n",
	"$(touch${IFS}canary)", ";touch canary;", "&touch canary&", "|touch canary", "x\ntouch canary", "(touch canary)", "(^touch canary)", "$((1+1))", ">canary", "<canary", "#", " # x", "a#b", "x;y", "a&b", "a|b",
	"*", "?", "[a-z]*", "[!a]", "a*", "ab?", "**", "{a,b}", "{1..3}", "@(a|b)", "+(a)", "!(a)", "~(E)a", "~", "~root", "~+", "=ls", "=(ls)", "<(ls)", "!!", "!1", "!", "a!b", "[", "]", "-", "--", "-n", "-e", "-gx",
	"é", "日本", "‘", "’", "‚", "‛", "“x”", "’; touch canary; ’", "\u00a0", "\u2028", "\u200b\u202e", "\ufeff", "\u0085", "\U0001f600", "\x01\x02\x1b[31m", "\x7f", "\x1b]0;x\x07",
	"\xff", "\xc3", "a\xfe\xffb", "\x80\x9b", "é\xe9é", "'\xff'", "\xff\n\xff",
	"'+(touch canary)+'", "'\n$(touch canary)", "$env:X", "@{}", "(x)", "\"\ntouch canary", "%cmd:~0,1%", "x\" & touch canary & \"", "x%0Ay", "::add-mask::x", "EOF\nAWS_PROFILE=evil", "AWS_PROFILE=evil\nX",
	strings.Repeat("ab* '\"\\\n", 25),
}

// randomValues are short texts of the characters that matter, the same ones at
// each run.
func randomValues(count int) []string {
	random := rand.New(rand.NewPCG(1, 2))
	pool := []string{"a", "b", "0", "7", " ", "  ", "\t", "\n", "\r", "'", `"`, `\`, "`", "$", "$(", ")", "(", "{", "}", ",", "..", "*", "?", "[", "]", "!", "~", "#", ";", "&", "|", "<", ">", "^", "%", "=", ":", "-", "é", "’", "\xff", "\x01", "\x1b"}
	values := make([]string, count)
	for i := range values {
		for range 1 + random.IntN(12) {
			values[i] += pool[random.IntN(len(pool))]
		}
	}
	return values
}
