package main

import (
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"crossrole/internal/assume"
)

// sentFlags are the flags that change what is asked of AWS: explain needs them to ask the same.
var sentFlags = []string{
	"role-arn", "source-profile", "external-id", "mfa-serial", "duration", "session-name", "source-identity", "tag", "transitive-tag",
	"policy-file", "policy-arn", "region", "endpoint-url",
}

// explainLine is the command that explains a refusal: the same profile and the same parameters. It is "" where there is
// nothing to explain.
func explainLine(cmd *cobra.Command, err error) string {
	var denied *assume.DeniedError
	if cmd == nil || !errors.As(err, &denied) || cmd.Flags().Lookup("source-profile") == nil || cmd.Name() == "explain" {
		return ""
	}
	words := []string{"crossrole", "explain"}
	switch args := cmd.Flags().Args(); {
	case len(args) > 0 && cmd.ArgsLenAtDash() != 0:
		words = append(words, args[0])
	case denied.Hop == denied.Hops && !cmd.Flags().Changed("role-arn") && denied.Profile != "":
		words = append(words, denied.Profile) // of AWS_PROFILE, or picked from a list
	}
	for _, name := range sentFlags {
		f := cmd.Flags().Lookup(name)
		if !given(f) {
			continue // what comes from the environment is still there
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, v := range values {
			words = append(words, "--"+name, v)
		}
	}
	return shellWords(append(words, "--live"))
}
