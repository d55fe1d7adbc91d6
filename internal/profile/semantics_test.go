package profile

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestSections holds the names that a config and a credentials file define.
func TestSections(t *testing.T) {
	for _, c := range []struct {
		name, config, credentials string
		want                      []string
	}{
		{"kinds of section", "[default]\n[profile a]\n[sso-session s]\n[services v]\n", "", []string{"default", "a"}},
		{"tab and blanks", "[profile\ta]\n[ profile  b ]\n", "[ c ]\n", []string{"a", "b", "c"}},
		{"only default may be bare", "[a]\n[default]\n", "", []string{"default"}},
		{"prefixes of the credentials file", "", "[profile a]\n[sso-session b]\n[c]\n", []string{"c"}},
		{"a comment with brackets after it", "[profile a] # see [b]\n[profile b]; [c]\n", "", []string{"a", "b"}},
		{"names in the wild", "[profile a_b-c/d.e%f@g:h+1]\n[profile größe]\n[profile 日本]\n", "", []string{"a_b-c/d.e%f@g:h+1", "größe", "日本"}},
		{"quoted names", "[profile \"A B\"]\n[profile 'C D']\n[profile \"e\"]\n", "", []string{"A B", "C D", "e"}},
		{"quotes that don't close", "[profile \"a]\n[profile a\"]\n[profile \"a\\\"\"]\n", "", nil},
		{"what nobody accepts", "[profile a b]\n[profile a!]\n[profile]\n[profile ]\n[]\n", "[a b]\n", nil},
		{"case", "[Profile a]\n[DEFAULT]\n[profile A]\n[profile a]\n", "[DEFAULT]\n", []string{"A", "a"}},
		{"each name once, config first", "[profile a]\n[profile b]\n[profile a]\n", "[c]\n[b]\n", []string{"a", "b", "c"}},
		{"byte order mark", "\xef\xbb\xbf[profile a]\n", "\xef\xbb\xbf[b]\n", []string{"a", "b"}},
		{"no newline at the end", "[profile a]", "[b]", []string{"a", "b"}},
		{"CRLF", "[profile a]\r\nx = 1\r\n[profile b]\r\n", "", []string{"a", "b"}},
		{"an indented header", "  [profile a]\n  x = 1\n  [profile b]\n", "", []string{"a", "b"}},
		{"a header that continues a value", "[profile a]\nx = 1\n  [profile b]\n", "", []string{"a"}},
		{"after a comment too", "[profile a]\nx = 1\n# y\n\n  [profile b]\n", "", []string{"a"}},
		{"under a header it is one", "[profile a]\n  [profile b]\n", "", []string{"a", "b"}},
		{"brackets in values", "[profile a]\nx = [profile b]\ny = a[0]\n", "", []string{"a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := load(t, c.config, c.credentials)
			if got := s.Names(); !slices.Equal(got, c.want) {
				t.Errorf("names %q, want %q", got, c.want)
			}
			for _, name := range c.want {
				if _, err := load(t, c.config, c.credentials).Profile(name); err != nil {
					t.Errorf("without an index: %v", err)
				}
			}
		})
	}
}

// TestProperties holds what the lines of a section say.
func TestProperties(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       map[string]string
	}{
		{"lower case, quotes stay", "Role_ARN = \"a\"\n", map[string]string{"role_arn": `"a"`}},
		{"comments need a blank", "x = a#b;c\ny = a #b\nz = a\t;b\n", map[string]string{"x": "a#b;c", "y": "a", "z": "a"}},
		{"only a comment", "x = # a\ny =# a\n", map[string]string{"x": "", "y": "# a"}},
		{"a backslash is text", "x = a\\\ny = b\n", map[string]string{"x": `a\`, "y": "b"}},
		{"no interpolation", "x = %(y)s\ny = %(x)s\n", map[string]string{"x": "%(y)s", "y": "%(x)s"}},
		{"what ini.v1 takes for syntax", "x = `a\ny = \"\"\"b\n- = c\nz = 'd'\n", map[string]string{"x": "`a", "y": `"""b`, "-": "c", "z": "'d'"}},
		{"continued", "x = a\n  b\n\n\tc = d\n", map[string]string{"x": "a\nb\nc = d"}},
		{"nested is not the profile's", "s3 =\n  role_arn = a\nx = 1\n", map[string]string{"s3": "\nrole_arn = a", "x": "1"}},
		{"nested under a comment", "s3 =\n  # why\n  a = 1\n ; and\n  b = 2\n", map[string]string{"s3": "\na = 1\nb = 2"}},
		{"all indented alike", "  x = 1\n  y = 2\n    more\n", map[string]string{"x": "1", "y": "2\nmore"}},
		{"less indented", "  x = 1\n y = 2\nz = 3\n", map[string]string{"x": "1", "y": "2", "z": "3"}},
		{"invalid names, with their lines", "in valid = 1\n  more\nx = 2\n", map[string]string{"x": "2"}},
		{"the last one counts", "x =\n  a = 1\nx = 2\n", map[string]string{"x": "2"}},
		{"unknown keys", "what_is_this = 1\n", map[string]string{"what_is_this": "1"}},
		{"other blanks", "x =\u00a0a\u3000\n", map[string]string{"x": "a"}},
		{"CRLF", "x = 1\r\n  2\r\ny = 3\r\n", map[string]string{"x": "1\n2", "y": "3"}},
		{"= in the value", "x = a=b\n", map[string]string{"x": "a=b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := load(t, "[profile a]\n"+c.body+"[profile b]\nx = other\n", "")
			p, err := s.Profile("a")
			if err != nil {
				t.Fatal(err)
			}
			if got := texts(p.Properties); !maps.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestSyntaxErrors holds the place of each line that nobody can read, and
// that other profiles don't mind.
func TestSyntaxErrors(t *testing.T) {
	for _, c := range []struct {
		name, config string
		line         int
	}{
		{"unclosed", "[profile good]\n[profile a\nx = 1\n", 2},
		{"text after the bracket", "[profile good]\n[profile a] b\n", 2},
		{"no delimiter", "[profile good]\n[profile a]\nx = 1\nwhat\n", 4},
		{"a colon", "[profile good]\n[profile a]\nkey: v\n", 3},
		{"a colon before =", "[profile good]\n[profile a]\nrole_arn: x=y\n", 3},
		{"no name", "[profile good]\n[profile a]\n = v\n", 3},
		{"nested without delimiter", "[profile good]\n[profile a]\ns3 =\n  x\n", 4},
		{"nested without name", "[profile good]\n[profile a]\ns3 =\n  = x\n", 4},
		{"continuation of nothing", "[profile good]\n[profile a]\n x\n", 3},
		{"not UTF-8", "[profile good]\n[profile a]\nx = \xff\n", 3},
		{"a lone carriage return", "[profile good]\n[profile a]\nx = 1\ry = 2\n", 3},
		{"a lone carriage return in a comment", "[profile good]\n[profile a]\n# x\ry = 2\n", 3},
		{"a header after one", "[profile good]\n[profile b]\n# x\r[profile a]\n", 3},
		{"a prefix that only begins like one", "[profile good]\n[profile a]\n[profiles a]\n", 3},
		{"an unclosed header that is a property elsewhere", "[profile good]\n[profile a]\n[x = 1\ny = 2\n", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, indexed := range []bool{false, true} {
				s := load(t, c.config, "")
				if indexed {
					s.Preload()
				}
				if _, err := s.Profile("good"); err != nil {
					t.Errorf("the other profile: %v", err)
				}
				_, err := s.Profile("a")
				e, ok := errors.AsType[*SyntaxError](err)
				if !ok || e.Origin.Line != c.line || !strings.HasSuffix(e.Origin.File, "config") {
					t.Errorf("indexed %v: error %v, want one at line %d", indexed, err, c.line)
				}
			}
		})
	}
}

func TestMerge(t *testing.T) {
	config := "[default]\nregion = a\n[profile default]\nregion = b\n[profile x]\nregion = c\naws_access_key_id = C\naws_secret_access_key = c\naws_session_token = t\n"
	s := load(t, config, "[x]\nregion = d\naws_access_key_id = D\naws_secret_access_key = d\n[default]\noutput = json\n")
	p, err := s.Profile("x")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"region": "d", "aws_access_key_id": "D", "aws_secret_access_key": "d"}
	if got := texts(p.Properties); !maps.Equal(got, want) {
		t.Errorf("x is %v, want %v", got, want)
	}
	if len(p.Sections) != 2 || p.Sections[0].Line != 5 || p.Sections[1].Line != 1 {
		t.Errorf("x is defined at %v", p.Sections)
	}
	p, err = s.Profile("default")
	if want := map[string]string{"region": "b", "output": "json"}; err != nil || !maps.Equal(texts(p.Properties), want) {
		t.Errorf("default is %v, %v", texts(p.Properties), err)
	}
}

// A token never goes with keys of the other file, in either direction.
func TestStaticKeysAreOneGroup(t *testing.T) {
	for _, c := range []struct {
		name, config, credentials string
		want                      []string // nil: half-filled
	}{
		{"token in credentials, keys in config", "aws_access_key_id = A\naws_secret_access_key = B\n", "aws_session_token = T\n", []string{"A", "B", ""}},
		{"token in config, keys in credentials", "aws_session_token = T\n", "aws_access_key_id = A\naws_secret_access_key = B\n", []string{"A", "B", ""}},
		{"both", "aws_access_key_id = C\naws_secret_access_key = D\naws_session_token = T\n", "aws_access_key_id = A\naws_secret_access_key = B\n", []string{"A", "B", ""}},
		{"the older name of the token wins", "", "aws_access_key_id = A\naws_secret_access_key = B\naws_session_token = T\naws_security_token = S\n", []string{"A", "B", "S"}},
		{"a pair over two files", "aws_access_key_id = A\n", "aws_secret_access_key = B\n", nil},
		{"the other way round", "aws_secret_access_key = B\n", "aws_access_key_id = A\n", nil},
		{"an empty half", "aws_access_key_id = A\naws_secret_access_key =\n", "", nil},
		{"a secret alone", "aws_secret_access_key = B\n", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			chain, err := load(t, "[profile a]\n"+c.config, "[a]\n"+c.credentials).Resolve("a")
			if c.want == nil {
				if e, ok := errors.AsType[*ConfigError](err); !ok || e.Reason != ReasonHalfFilled {
					t.Fatalf("%v, want half-filled", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			p := chain.Source.Properties
			if got := []string{p[keyAccessKeyID].Text, p[keySecretKey].Text, p[keySessionToken].Text}; !slices.Equal(got, c.want) {
				t.Errorf("keys %q, want %q", got, c.want)
			}
		})
	}
}

// A quoted name of the config file has its keys under the same name, without
// quotes, in the credentials file.
func TestQuotedNameInBothFiles(t *testing.T) {
	s := load(t, "[profile \"A B\"]\nregion = x\n", "[A B]\naws_access_key_id = A\naws_secret_access_key = B\n[C D]\n")
	p, err := s.Profile("A B")
	if err != nil || p.Get(keyAccessKeyID).Text != "A" {
		t.Errorf("%v, %v", p, err)
	}
	if _, err := s.Profile("C D"); err == nil {
		t.Error("C D is a profile")
	}
}

func TestProblems(t *testing.T) {
	config := strings.Join([]string{
		"\xef\xbb\xbf[default]",       // 1: BOM, and not read because of 2
		"[profile default]",           // 2
		"[DEFAULT]",                   // 3
		"[profile a]",                 // 4
		"x = 1 # one",                 // 5
		"x = 2",                       // 6
		"in valid = 3",                // 7
		"[profile a]",                 // 8
		"[profile \"b c\"]",           // 9
		"[lost]",                      // 10
		"[profile broken]",            // 11
		"what",                        // 12
		"[profile keys]",              // 13
		"aws_session_token = T",       // 14
		"[profile a b]",               // 15
		"[profile unclosed",           // 16
		"[sso-session s]", "y = 1 ;2", // 17, 18
	}, "\n")
	s := load(t, config, "[keys]\naws_access_key_id = A\naws_secret_access_key = B\n[profile z]\n")
	type place struct {
		kind ProblemKind
		line int
	}
	want := []place{
		{ProblemByteOrderMark, 1},
		{ProblemTwoDefaults, 1},
		{ProblemDefaultSection, 3},
		{ProblemComment, 5},
		{ProblemDuplicateKey, 6},
		{ProblemDroppedKey, 7},
		{ProblemDuplicateSection, 8},
		{ProblemQuotedName, 9},
		{ProblemIgnoredSection, 10},
		{ProblemSyntax, 12},
		{ProblemIgnoredSection, 15},
		{ProblemSyntax, 16},
		{ProblemComment, 18},
		{ProblemIgnoredSection, 4},
		{ProblemMixedKeys, 14},
	}
	var got []place
	for _, p := range s.Problems() {
		got = append(got, place{p.Kind, p.Origin.Line})
		if p.Text == "" || (p.Kind == ProblemSyntax) != (p.Err != nil) {
			t.Errorf("%+v", p)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("problems\n%v, want\n%v", got, want)
	}
	for _, p := range s.Problems("a") {
		if p.Profile != "a" && p.Kind != ProblemByteOrderMark && p.Kind != ProblemDefaultSection {
			t.Errorf("asked about a, and got %v", p)
		}
	}
}

func TestMatchName(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"a", "a", true},
		{"a", "ab", false},
		{"a*", "ab", true},
		{"*b", "ab", true},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"*", "", true},
		{"a*b*c", "aXbYbZc", true},
		{"a*b*c", "aXbYbZ", false},
		{"prod/*", "prod/x/y", true},
		{"?", "é", true},
		{"[a]", "a", false},
		{"", "", true},
		{"*a*a*a*a*a*b", strings.Repeat("a", 60), false},
	} {
		if got := MatchName(c.pattern, c.name); got != c.want {
			t.Errorf("MatchName(%q, %q) is %v", c.pattern, c.name, got)
		}
	}
	s := load(t, "[profile b1]\n[profile a]\n[profile b2]\n", "")
	if got := s.Match("b*"); !slices.Equal(got, []string{"b1", "b2"}) {
		t.Errorf("b* matches %v", got)
	}
}

// The AWS CLI takes blanks within the brackets, and all up to the line's last
// one, for a part of the name. Where that makes two profiles of one, nobody can
// say which is meant.
func TestHeadersThatTheAWSCLIReadsOtherwise(t *testing.T) {
	tests := []struct {
		name, config, credentials string
		told                      ProblemKind
		stops                     bool
	}{
		{"alone, as the SDKs' own tests have it", "[ profile p ]\nregion = a\n", "", ProblemOtherName, false},
		{"both in the credentials file", "", "[p]\nregion = a\n[ p ]\nregion = b\n", ProblemDuplicateSection, true},
		{"over the config file", "[profile p]\nregion = a\n", "[p ]\nregion = b\n", ProblemOtherName, true},
		{"under the credentials file", "[ profile p]\nregion = a\n", "[p]\nregion = b\n", ProblemOtherName, true},
		{"a bracket in the comment", "[profile p] # not [q]\nregion = a\n", "[p]\nregion = b\n", ProblemOtherName, true},
		{"a bare default", "[default ]\nregion = a\n", "[default]\nregion = b\n", ProblemOtherName, true},
		{"blanks that a shell would drop", "[profile  p ]\nregion = a\n", "[p]\nregion = b\n", "", false},
		{"spelt in two ways", "[profile p]\nregion = a\n[profile  p]\nregion = b\n", "", ProblemDuplicateSection, true},
		{"quoted the second time", "[profile p]\nregion = a\n[profile \"p\"]\nregion = b\n", "", ProblemDuplicateSection, true},
		{"twice the same, which the AWS CLI refuses", "[profile p]\nregion = a\n[profile p]\nregion = b\n", "", ProblemDuplicateSection, false},
		{"a comment", "[profile p] # q\nregion = a\n", "[p] ; q\nregion = b\n", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name := "p"
			if strings.Contains(tt.config, "default") {
				name = "default"
			}
			set := load(t, tt.config, tt.credentials)
			_, err := set.Resolve(name)
			var told ProblemKind
			if found := set.Problems(); len(found) > 0 {
				told = found[0].Kind
			}
			if told != tt.told {
				t.Errorf("told of %q", told)
			}
			syntax, ok := errors.AsType[*SyntaxError](err)
			if ok != tt.stops || !ok && err != nil {
				t.Fatalf("%v", err)
			}
			if ok && (syntax.Origin.Line == 0 || !strings.Contains(err.Error(), "the AWS CLI")) {
				t.Errorf("%v", err)
			}
		})
	}
}
