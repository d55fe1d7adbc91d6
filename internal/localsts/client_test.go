package localsts

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
)

// clock is a clock that a test moves.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func noon() *clock { return &clock{time.Now().UTC().Truncate(30 * time.Second)} }

type keys struct{ id, secret, token string }

func (k keys) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: k.id, SecretAccessKey: k.secret, SessionToken: k.token}, nil
}

var (
	aSan = keys{ExampleKeyID, ExampleSecret, ""}
	bSan = keys{ExampleOtherKeyID, ExampleOtherKey, ""}
)

func client(url string, k keys) *sts.Client {
	return sts.New(sts.Options{
		Region: "eu-central-1", BaseEndpoint: &url, Credentials: k,
		Retryer: aws.NopRetryer{},
	})
}

func issued(c *types.Credentials) keys {
	return keys{*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken}
}

func target(name string) *string { return aws.String("arn:aws:iam::222222222222:role/" + name) }

// wantCode fails the test unless err is AWS's error with the code.
func wantCode(t *testing.T, err error, code string) string {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Fatalf("got error %v, want code %s", err, code)
	}
	return api.ErrorMessage()
}

func assume(t *testing.T, url string, k keys, in sts.AssumeRoleInput) (*sts.AssumeRoleOutput, error) {
	t.Helper()
	if in.RoleSessionName == nil {
		in.RoleSessionName = aws.String("demo-session")
	}
	return client(url, k).AssumeRole(t.Context(), &in)
}

func mustAssume(t *testing.T, url string, k keys, in sts.AssumeRoleInput) *sts.AssumeRoleOutput {
	t.Helper()
	out, err := assume(t, url, k, in)
	if err != nil {
		t.Fatalf("assume %s: %v", *in.RoleArn, err)
	}
	return out
}
