package output

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

// Small models of how each reader reads what we print, for fuzzing: the real
// ones are in shells_test.go.

func seeds(f *testing.F) {
	f.Helper()
	for _, value := range hostile {
		f.Add(value)
	}
}

// expressed renders a value as a profile's name, or skips what the format
// refuses; refused texts must have a reason.
func expressed(t *testing.T, format, value string) (string, bool) {
	t.Helper()
	text, err := Render(format, named(value))
	if err != nil && text != "" {
		t.Fatalf("an error, and still the text %q", text)
	}
	return text, err == nil
}

// safeWord is a word that no shell changes before eval joins the words: letters
// and digits, quotes, what a variable or `…` needs, and a backslash at its end.
var safeWord = regexp.MustCompile("^[A-Za-z0-9_./:=+,@%;'\"`${}-]*\\\\?$")

var (
	plainStatement = regexp.MustCompile(`(?m)^export CROSSROLE_PROFILE='(.*)';$`)
	octalStatement = regexp.MustCompile("(?m)^CROSSROLE_PROFILE=`printf %.1s%s((?: '\\\\ ' [0-3][0-7][0-7])*) x`;\n" +
		"CROSSROLE_PROFILE=\"`printf \"\\$CROSSROLE_PROFILE\"`\";\nexport CROSSROLE_PROFILE=\"\\$\\{CROSSROLE_PROFILE%x\\}\";$")
)

func FuzzPOSIX(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, value string) {
		text, ok := expressed(t, Env, value)
		if !ok || value == "" {
			if ok == strings.Contains(value, "\x00") {
				t.Fatalf("%q: expressed %v", value, ok)
			}
			return
		}
		for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\n' }) {
			if !safeWord.MatchString(word) {
				t.Fatalf("the word %q of %q may be changed before eval", word, value)
			}
		}
		if regexp.MustCompile(`\{[^}]*(,|\.\.)`).MatchString(text) || strings.Contains(text, "  ") {
			t.Fatalf("%q may be changed before eval", text)
		}
		if got := readPOSIX(t, text); got != value {
			t.Fatalf("%q is read as %q", value, got)
		}
	})
}

func readPOSIX(t *testing.T, text string) string {
	t.Helper()
	if m := plainStatement.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	m := octalStatement.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("%q sets nothing", text)
	}
	var got []byte
	for _, number := range strings.Fields(strings.ReplaceAll(m[1], `'\ '`, "")) {
		b, err := strconv.ParseUint(number, 8, 8)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, byte(b))
	}
	return string(got)
}

func FuzzFish(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, value string) {
		text, ok := expressed(t, Fish, value)
		if !ok || value == "" {
			return
		}
		_, rest, _ := strings.Cut(text, "set -gx CROSSROLE_PROFILE ")
		line, _, _ := strings.Cut(rest, ";\nset ")
		if got := readFish(t, line); got != value {
			t.Fatalf("%q is read as %q from %q", value, got, line)
		}
	})
}

// readFish reads one word: quoted parts, and \Xhh outside quotes.
func readFish(t *testing.T, word string) string {
	t.Helper()
	var got []byte
	quoted := false
	for i := 0; i < len(word); i++ {
		switch b := word[i]; {
		case b == '\n':
			t.Fatalf("a line end in %q", word)
		case b == '\'':
			quoted = !quoted
		case b == '\\' && quoted && (word[i+1] == '\'' || word[i+1] == '\\'):
			i++
			got = append(got, word[i])
		case quoted:
			got = append(got, b)
		case strings.HasPrefix(word[i:], `\X`):
			n, err := strconv.ParseUint(word[i+2:i+4], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, byte(n))
			i += 3
		default:
			t.Fatalf("%q is bare in %q", b, word)
		}
	}
	if quoted {
		t.Fatalf("the quotes of %q do not close", word)
	}
	return string(got)
}

func FuzzPowerShell(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, value string) {
		text, ok := expressed(t, PowerShell, value)
		if ok != (utf8.ValidString(value) && !strings.Contains(value, "\x00")) {
			t.Fatalf("%q: expressed %v", value, ok)
		}
		if !ok || value == "" {
			return
		}
		for _, b := range []byte(text) {
			if b >= 0x7f || b < ' ' && b != '\n' {
				t.Fatalf("the byte %#x in %q", b, text)
			}
		}
		_, rest, _ := strings.Cut(text, "$env:CROSSROLE_PROFILE = ")
		line, _, _ := strings.Cut(rest, "\n")
		if got := readPowerShell(t, strings.TrimSuffix(line, ";")); got != value {
			t.Fatalf("%q is read as %q from %q", value, got, line)
		}
	})
}

var powershellPart = regexp.MustCompile(`^(?:'((?:[^'‘’‚‛]|'')*)'|\[char\]0x([0-9a-f]{4}))`)

// readPowerShell adds up 'texts' and [char]s; the first must be a text.
func readPowerShell(t *testing.T, sum string) string {
	t.Helper()
	if sum[0] != '\'' {
		t.Fatalf("the sum %q does not begin with a text", sum)
	}
	var units []uint16
	for sum != "" {
		m := powershellPart.FindStringSubmatch(sum)
		if m == nil {
			t.Fatalf("%q is no part of a sum", sum)
		}
		if m[2] != "" {
			n, _ := strconv.ParseUint(m[2], 16, 16)
			units = append(units, uint16(n))
		}
		units = append(units, utf16.Encode([]rune(strings.ReplaceAll(m[1], "''", "'")))...)
		sum = strings.TrimPrefix(sum[len(m[0]):], "+")
	}
	return string(utf16.Decode(units))
}

func FuzzWindowsCmd(f *testing.F) {
	seeds(f)
	statement := regexp.MustCompile(`^set "[A-Z_]+=[ #$&-~!'()*+,./0-9:;<=>?@A-Z^_\[\]\\` + "`" + `a-z{|}-]*"$`)
	f.Fuzz(func(t *testing.T, value string) {
		text, ok := expressed(t, WindowsCmd, value)
		if !ok {
			return
		}
		for line := range strings.Lines(text) {
			if !statement.MatchString(strings.TrimSuffix(line, "\n")) || strings.ContainsAny(line, "%!") || strings.Count(line, `"`) != 2 {
				t.Fatalf("cmd.exe would change %q", line)
			}
		}
		if value != "" && !strings.Contains(text, "set \"CROSSROLE_PROFILE="+value+"\"\n") {
			t.Fatalf("%q is not in %q", value, text)
		}
	})
}

func FuzzNushell(f *testing.F) {
	seeds(f)
	escape := regexp.MustCompile(`\\u\{([0-9a-f]+)\}`)
	f.Fuzz(func(t *testing.T, value string) {
		text, ok := expressed(t, Nushell, value)
		if !ok || value == "" {
			return
		}
		_, rest, _ := strings.Cut(text, "$env.CROSSROLE_PROFILE = ")
		line, _, _ := strings.Cut(rest, "\n")
		// JSON's rules but for \u{…}, which become \uhhhh here.
		asJSON := escape.ReplaceAllStringFunc(line, func(m string) string {
			n, _ := strconv.ParseUint(m[3:len(m)-1], 16, 32)
			spelled := ""
			for _, unit := range utf16.AppendRune(nil, rune(n)) {
				spelled += `\u` + strconv.FormatUint(uint64(unit)+0x10000, 16)[1:]
			}
			return spelled
		})
		if strings.Contains(value, `\u{`) { // not an escape of ours: an escaped backslash before u
			return
		}
		var got string
		if err := json.Unmarshal([]byte(asJSON), &got); err != nil || got != value {
			t.Fatalf("%q is read as %q from %q (%v)", value, got, line, err)
		}
	})
}

func FuzzDotenv(f *testing.F) {
	seeds(f)
	line := regexp.MustCompile("^[A-Z_]+=(?:[A-Za-z0-9_./:=+,@%-]*|'[^'\\\\\\x00-\\x1f]*'|\"[^\"\\\\$`!\\x00-\\x1f]*\")\n$")
	f.Fuzz(func(t *testing.T, value string) {
		for _, format := range []string{Dotenv, GitLab} {
			text, ok := expressed(t, format, value)
			if !ok {
				continue
			}
			for got := range strings.Lines(text) {
				if format == Dotenv && !line.MatchString(got) {
					t.Fatalf("readers differ about %q", got)
				}
			}
			if lines := strings.Count(text, "\n"); lines != 8 && value != "" {
				t.Fatalf("%d lines in %q", lines, text)
			}
		}
	})
}

func FuzzGitHub(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, value string) {
		c := named(value)
		c.SecretAccessKey = value
		masks, env, err := GitHubFiles(c, strings.NewReader(strings.Repeat("0123456789abcdef", 20)))
		if err != nil || value == "" {
			return
		}
		for line := range strings.Lines(masks) {
			if !strings.HasPrefix(line, "::add-mask::") {
				t.Fatalf("the runner would act on %q", line)
			}
		}
		if got := readGitHub(t, env)["CROSSROLE_PROFILE"]; got != value {
			t.Fatalf("%q is read as %q", value, got)
		}
	})
}

// readGitHub reads the file as the runner does: NAME<<DELIMITER, lines, DELIMITER.
func readGitHub(t *testing.T, text string) map[string]string {
	t.Helper()
	got := map[string]string{}
	for text != "" {
		head, rest, _ := strings.Cut(text, "\n")
		name, delimiter, ok := strings.Cut(head, "<<")
		value, after, closed := strings.Cut(rest, "\n"+delimiter+"\n")
		if !ok || !closed {
			t.Fatalf("%q is no heredoc", head)
		}
		if _, twice := got[name]; twice {
			t.Fatalf("%s is set twice", name)
		}
		got[name], text = value, after
	}
	return got
}
