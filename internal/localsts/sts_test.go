package localsts

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
)

func TestAssumeRoleAcrossAccounts(t *testing.T) {
	s := StartTest(t, Options{})
	out := mustAssume(t, s.URL, aSan, sts.AssumeRoleInput{RoleArn: target("Open")})
	if got, want := *out.AssumedRoleUser.Arn, "arn:aws:sts::222222222222:assumed-role/Open/demo-session"; got != want {
		t.Errorf("assumed role user %s, want %s", got, want)
	}
	if d := time.Until(*out.Credentials.Expiration); d < 59*time.Minute || d > time.Hour {
		t.Errorf("expires in %s, want an hour", d)
	}
	who, err := client(s.URL, issued(out.Credentials)).GetCallerIdentity(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if *who.Arn != *out.AssumedRoleUser.Arn || *who.UserId != *out.AssumedRoleUser.AssumedRoleId || *who.Account != "222222222222" {
		t.Errorf("caller is %s %s %s", *who.Arn, *who.UserId, *who.Account)
	}
	if n := s.Count("AssumeRole"); n != 1 {
		t.Errorf("%d calls of AssumeRole, want 1", n)
	}
}

func TestAssumeRoleDenied(t *testing.T) {
	s := StartTest(t, Options{})
	for name, c := range map[string]struct {
		who keys
		in  sts.AssumeRoleInput
	}{
		"no identity policy": {bSan, sts.AssumeRoleInput{RoleArn: target("Open")}},
		"no such role":       {aSan, sts.AssumeRoleInput{RoleArn: target("Nobody")}},
		"no such account":    {aSan, sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::333333333333:role/Open")}},
		"no external id":     {aSan, sts.AssumeRoleInput{RoleArn: target("ExternalID")}},
		"wrong external id":  {aSan, sts.AssumeRoleInput{RoleArn: target("ExternalID"), ExternalId: aws.String("externalid123")}},
		"no mfa":             {aSan, sts.AssumeRoleInput{RoleArn: target("MFA")}},
		"not the hop":        {aSan, sts.AssumeRoleInput{RoleArn: target("FromHop")}},
		"path left out":      {aSan, sts.AssumeRoleInput{RoleArn: target("x/Open")}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := assume(t, s.URL, c.who, c.in)
			msg := wantCode(t, err, "AccessDenied")
			if want := "is not authorized to perform: sts:AssumeRole on resource: " + *c.in.RoleArn; !strings.HasSuffix(msg, want) {
				t.Errorf("message %q, want …%q", msg, want)
			}
		})
	}
	mustAssume(t, s.URL, aSan, sts.AssumeRoleInput{RoleArn: target("ExternalID"), ExternalId: aws.String("ExternalId123")})
}

func TestMFACodeWorksOnce(t *testing.T) {
	ck := noon()
	s := StartTest(t, Options{Now: ck.now})
	code := func() *string {
		c, err := MFADevice{Seed: ExampleMFASeed}.Code(ck.t)
		if err != nil {
			t.Fatal(err)
		}
		return &c
	}
	in := sts.AssumeRoleInput{RoleArn: target("MFA"), SerialNumber: aws.String(ExampleMFASerial), TokenCode: code()}
	mustAssume(t, s.URL, aSan, in)
	_, err := assume(t, s.URL, aSan, in)
	if msg := wantCode(t, err, "AccessDenied"); msg != msgMFAInvalidCode {
		t.Errorf("a used code: %q", msg)
	}
	ck.t = ck.t.Add(30 * time.Second)
	in.TokenCode = code()
	mustAssume(t, s.URL, aSan, in)

	in.SerialNumber = aws.String("arn:aws:iam::111111111111:mfa/other")
	_, err = assume(t, s.URL, aSan, in)
	wantCode(t, err, "AccessDenied")
	in.SerialNumber = nil
	_, err = assume(t, s.URL, aSan, in)
	wantCode(t, err, "AccessDenied")
}

func TestSessionTokenCarriesMFA(t *testing.T) {
	ck := noon()
	s := StartTest(t, Options{Now: ck.now})
	c, _ := MFADevice{Seed: ExampleMFASeed}.Code(ck.t)
	st, err := client(s.URL, aSan).GetSessionToken(t.Context(), &sts.GetSessionTokenInput{SerialNumber: aws.String(ExampleMFASerial), TokenCode: &c})
	if err != nil {
		t.Fatal(err)
	}
	if d := st.Credentials.Expiration.Sub(ck.t); d != 12*time.Hour {
		t.Errorf("lives %s, want 12h", d)
	}
	mfa := issued(st.Credentials)
	mustAssume(t, s.URL, mfa, sts.AssumeRoleInput{RoleArn: target("MFA"), DurationSeconds: aws.Int32(43200)})

	plain, err := client(s.URL, aSan).GetSessionToken(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = assume(t, s.URL, issued(plain.Credentials), sts.AssumeRoleInput{RoleArn: target("MFA")})
	wantCode(t, err, "AccessDenied")
	_, err = client(s.URL, mfa).GetSessionToken(t.Context(), nil)
	wantCode(t, err, "AccessDenied")
}

func TestChain(t *testing.T) {
	s := StartTest(t, Options{})
	hop := mustAssume(t, s.URL, aSan, sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::111111111111:role/Hop"), SourceIdentity: aws.String("a-san"),
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("red")}}, TransitiveTagKeys: []string{"team"},
	})
	k := issued(hop.Credentials)
	_, err := assume(t, s.URL, k, sts.AssumeRoleInput{RoleArn: target("FromHop")})
	if msg := wantCode(t, err, "AccessDenied"); !strings.Contains(msg, "sts:TagSession") {
		t.Errorf("the inherited tag needs sts:TagSession: %q", msg)
	}
	out := mustAssume(t, s.URL, k, sts.AssumeRoleInput{RoleArn: target("Tagged")})
	if aws.ToString(out.SourceIdentity) != "a-san" {
		t.Errorf("source identity %q", aws.ToString(out.SourceIdentity))
	}
	_, err = assume(t, s.URL, k, sts.AssumeRoleInput{RoleArn: target("Tagged"), SourceIdentity: aws.String("another")})
	wantCode(t, err, "AccessDenied")

	bare := issued(mustAssume(t, s.URL, aSan, sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::111111111111:role/Hop")}).Credentials)
	mustAssume(t, s.URL, bare, sts.AssumeRoleInput{RoleArn: target("FromHop"), DurationSeconds: aws.Int32(3600)})
	_, err = assume(t, s.URL, bare, sts.AssumeRoleInput{RoleArn: target("FromHop"), DurationSeconds: aws.Int32(3601)})
	if msg := wantCode(t, err, "ValidationError"); !strings.Contains(msg, "role chaining") {
		t.Errorf("message %q", msg)
	}
	_, err = assume(t, s.URL, aSan, sts.AssumeRoleInput{RoleArn: target("Short"), DurationSeconds: aws.Int32(3601)})
	if msg := wantCode(t, err, "ValidationError"); !strings.Contains(msg, "MaxSessionDuration") {
		t.Errorf("message %q", msg)
	}
}

func TestValidation(t *testing.T) {
	s := StartTest(t, Options{})
	_, err := assume(t, s.URL, aSan, sts.AssumeRoleInput{RoleArn: target("Open"), RoleSessionName: aws.String("a b"), DurationSeconds: aws.Int32(60)})
	want := `2 validation errors detected: Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*; ` +
		`Value '60' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900`
	if msg := wantCode(t, err, "ValidationError"); msg != want {
		t.Errorf("got  %q\nwant %q", msg, want)
	}
	_, err = assume(t, s.URL, aSan, sts.AssumeRoleInput{RoleArn: target("Open"), Policy: aws.String("{")})
	wantCode(t, err, "MalformedPolicyDocument")
	_, err = assume(t, s.URL, aSan, sts.AssumeRoleInput{RoleArn: target("Tagged"), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("A"), Value: aws.String("1")}}})
	wantCode(t, err, "InvalidParameterValue")
	_, err = assume(t, s.URL, aSan, sts.AssumeRoleInput{RoleArn: target("Tagged"), TransitiveTagKeys: []string{"b"}})
	wantCode(t, err, "InvalidParameterValue")
	_, err = assume(t, s.URL, aSan, sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::2222:role/xxxxxxx")})
	wantCode(t, err, "ValidationError")
}

func TestCredentialsAreRefused(t *testing.T) {
	ck := noon()
	s := StartTest(t, Options{Now: ck.now})
	other := StartTest(t, Options{Now: ck.now})
	k := issued(mustAssume(t, s.URL, aSan, sts.AssumeRoleInput{RoleArn: target("Open")}).Credentials)
	for _, c := range []struct {
		name, url string
		k         keys
		ahead     time.Duration
		code      string
	}{
		{"good", s.URL, k, 0, ""},
		{"wrong secret", s.URL, keys{ExampleKeyID, "x", ""}, 0, "SignatureDoesNotMatch"},
		{"unknown key", s.URL, keys{"AKIAEXAMPLE000000000", "x", ""}, 0, "InvalidClientTokenId"},
		{"token of another server", other.URL, k, 0, "InvalidClientTokenId"},
		{"token left out", s.URL, keys{k.id, k.secret, ""}, 0, "InvalidClientTokenId"},
		{"token of another key", s.URL, keys{ExampleKeyID, ExampleSecret, k.token}, 0, "InvalidClientTokenId"},
		{"broken token", s.URL, keys{k.id, k.secret, k.token[:len(k.token)-8]}, 0, "InvalidClientTokenId"},
		{"wrong session secret", s.URL, keys{k.id, "x", k.token}, 0, "SignatureDoesNotMatch"},
		{"clock skewed", s.URL, aSan, 16 * time.Minute, "SignatureDoesNotMatch"},
		{"clock skewed back", s.URL, aSan, -16 * time.Minute, "SignatureDoesNotMatch"},
		{"within the window", s.URL, aSan, 14 * time.Minute, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := ck.t
			ck.t = ck.t.Add(c.ahead)
			defer func() { ck.t = start }()
			_, err := client(c.url, c.k).GetCallerIdentity(t.Context(), nil)
			if c.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wantCode(t, err, c.code)
		})
	}
}

func TestLifetime(t *testing.T) {
	s := StartTest(t, Options{Lifetime: time.Second})
	k := issued(mustAssume(t, s.URL, aSan, sts.AssumeRoleInput{RoleArn: target("Open")}).Credentials)
	time.Sleep(1100 * time.Millisecond)
	_, err := client(s.URL, k).GetCallerIdentity(t.Context(), nil)
	wantCode(t, err, "ExpiredToken")
}

func TestHooks(t *testing.T) {
	s := StartTest(t, Options{Hook: On("AssumeRole", Hooks(First(1, Throttle()), First(1, Unavailable()), First(1, Drop()), First(1, Cut()), First(1, Garbage(200, "<html>"))))})
	in := sts.AssumeRoleInput{RoleArn: target("Open")}
	_, err := assume(t, s.URL, aSan, in)
	wantCode(t, err, "Throttling")
	_, err = assume(t, s.URL, aSan, in)
	wantCode(t, err, "ServiceUnavailable")
	for range 3 {
		if _, err = assume(t, s.URL, aSan, in); err == nil {
			t.Fatal("a broken answer was taken")
		}
	}
	mustAssume(t, s.URL, aSan, in)
}
