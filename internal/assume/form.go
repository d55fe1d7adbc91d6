package assume

import (
	"regexp"
	"sync"
)

// form is a regular expression that is compiled when it is first asked: a
// start pays for no check that it does not make.
type form struct{ compiled func() *regexp.Regexp }

func newForm(text string) form {
	return form{sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })}
}

// MatchString tells whether text has the form.
func (f form) MatchString(text string) bool { return f.compiled().MatchString(text) }

// FindStringSubmatch gives the parts of the first place that has the form.
func (f form) FindStringSubmatch(text string) []string {
	return f.compiled().FindStringSubmatch(text)
}
