package main

import (
	"slices"
	"testing"
)

// The line to type again keeps what decides the session, and not the code, which
// works once.
func TestAgain(t *testing.T) {
	for _, tt := range []struct{ line, want []string }{
		{[]string{"assume", "prod"}, []string{"assume", "prod"}},
		{[]string{"assume", "--role-arn", "r", "--source-profile", "me"}, []string{"assume", "--role-arn", "r", "--source-profile", "me"}},
		{[]string{"assume", "--mfa-code", "123456", "prod"}, []string{"assume", "prod"}},
		{[]string{"assume", "prod", "--mfa-code=123456"}, []string{"assume", "prod"}},
		{[]string{"assume", "--mfa-code"}, []string{"assume"}},
	} {
		if got := again(tt.line); !slices.Equal(got, tt.want) {
			t.Errorf("%q: %q", tt.line, got)
		}
	}
}
