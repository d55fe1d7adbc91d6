package main

import (
	"context"
	"strconv"

	"crossrole/internal/policy"
	"crossrole/internal/profile"
)

// askMissing asks on the terminal for what the flags leave open. Without a terminal it is an error of usage.
func (o *setupOptions) askMissing(ctx context.Context, a *app, set *profile.Set, name string) error {
	asksRole := o.roleARN == ""
	if asksRole && o.sourceProfile == "" && !o.canAsk(a) {
		return setupNeeds("--role-arn and --source-profile")
	}
	for _, q := range []struct {
		value    *string
		flag     string
		question string
		good     func(string) error
	}{
		{&o.roleARN, "--role-arn", "ARN of the role to assume: ", checkRoleARN},
		{&o.sourceProfile, "--source-profile", "Profile whose credentials assume it: ", func(source string) error {
			_, err := (&setupOptions{sourceProfile: source}).source(set, name)
			return err
		}},
	} {
		if *q.value != "" {
			continue
		}
		text, err := o.ask(ctx, a, q.flag, q.question, q.good)
		if err != nil {
			return err
		}
		*q.value = text
	}
	if asksRole && o.externalID == "" && !o.newExternalID {
		text, err := o.answer(ctx, a, "--external-id", "External ID that the role demands (nothing for none): ")
		if err != nil {
			return err
		}
		o.externalID = text
	}
	if o.mfaSerial != "" {
		o.requireMFA = true
	}
	return o.findCaller(ctx, a, set, name)
}

func (o *setupOptions) canAsk(a *app) bool {
	if o.noInput {
		return false
	}
	t, err := a.openTerminal()
	if err == nil {
		t.Close()
	}
	return err == nil
}

// maxAnswers is how often an answer that can't be right is asked for again: what was answered before is not lost.
const maxAnswers = 3

// ask asks for what can't be left out, and at once says what is wrong with an answer.
func (o *setupOptions) ask(ctx context.Context, a *app, flag, question string, good func(string) error) (string, error) {
	for tries := 1; ; tries++ {
		text, err := o.answer(ctx, a, flag, question)
		if err == nil && text == "" {
			err = setupNeeds(flag)
		}
		if err != nil {
			return "", err
		}
		if err = good(text); err == nil || tries == maxAnswers {
			return text, err
		}
		a.tell(err)
	}
}

func checkRoleARN(text string) error {
	if _, ok := policy.ParseRoleARN(text); !ok {
		return &configError{Why: strconv.Quote(text) + " is not the ARN of a role (arn:aws:iam::ACCOUNT:role/NAME)"}
	}
	return nil
}

// checkCaller lets the policy's own check say what is wrong with a caller.
func checkCaller(text string) error {
	_, err := policy.TrustPolicy(policy.TrustSpec{Callers: []string{text}})
	return asConfig(err)
}

func setupNeeds(flag string) error {
	return &usageError{Why: "setup needs " + flag, Advice: []string{"give it, or run setup in a terminal: it asks for what is missing"}}
}

// answer asks one question on the terminal device.
func (o *setupOptions) answer(ctx context.Context, a *app, flag, question string) (string, error) {
	if o.noInput {
		return "", setupNeeds(flag)
	}
	t, err := a.openTerminal()
	if err != nil {
		return "", setupNeeds(flag)
	}
	defer t.Close()
	text, err := t.askLine(ctx, question)
	if err != nil {
		return "", personGone("asking for "+flag, err)
	}
	return text, nil
}

// findCaller names who assumes the role: the flags, the role that the source profile is, or a person.
func (o *setupOptions) findCaller(ctx context.Context, a *app, set *profile.Set, name string) error {
	if len(o.callers) > 0 {
		return nil
	}
	chain, err := o.source(set, name)
	if err != nil {
		return err
	}
	if n := len(chain.Hops); n > 0 {
		o.callers = []string{chain.Hops[n-1].RoleARN.Text}
		return nil
	}
	if chain.Source.Role != nil {
		o.callers = []string{chain.Source.Role.RoleARN.Text}
		return nil
	}
	if account := chain.Source.Properties["sso_account_id"].Text; policy.IsAccountID(account) {
		o.callers = []string{account}
		return nil
	}
	text, err := o.ask(ctx, a, "--caller", "ARN of who assumes it (the user or role of profile "+strconv.Quote(o.sourceProfile)+"; crossrole whoami "+shellWord(o.sourceProfile)+" tells): ", checkCaller)
	if err != nil {
		return err
	}
	o.callers = []string{text}
	return nil
}
