package assume

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
)

// maxAttempts is how often a call is tried when AWS throttles, fails inside,
// or the connection breaks. Nothing else is ever tried again.
const maxAttempts = 4

// lateClient makes its client at the first request: a run that is answered from
// what is kept reads no CA bundle and makes no transport.
type lateClient struct {
	make func() (*http.Client, error)
}

func newLateClient(where Where, parallel int) lateClient {
	return lateClient{sync.OnceValues(func() (*http.Client, error) { return newHTTPClient(where, parallel) })}
}

// HTTPClient makes a client for requests to AWS's other services: it trusts the same CA bundle and honours the same proxies
// as the plan's own calls. It reads no file before its first request.
func HTTPClient(where Where) interface {
	Do(*http.Request) (*http.Response, error)
} {
	return newLateClient(where, 0)
}

// Do sends a request.
func (c lateClient) Do(req *http.Request) (*http.Response, error) {
	client, err := c.make()
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return res, err //nolint:wrapcheck // the SDK's retryer reads the type
	}
	res.Body = &measured{res.Body, maxAnswer}
	return res, nil
}

// maxAnswer is more bytes than AWS's largest answer has, unpacked.
const maxAnswer = 32 << 20

var errTooLong = errors.New("the answer is larger than any of AWS's")

// measured ends an answer that has no end, or unpacks to more than memory holds.
type measured struct {
	io.ReadCloser
	left int
}

// Read reads up to the limit.
func (m *measured) Read(p []byte) (int, error) {
	if m.left <= 0 {
		return 0, errTooLong
	}
	n, err := m.ReadCloser.Read(p[:min(len(p), m.left)])
	m.left -= n
	return n, err //nolint:wrapcheck // io.EOF must stay what it is
}

// direct follows no redirect: AWS gives none, and the next host would get the tokens in the headers.
func direct(client *awshttp.BuildableClient) *http.Client {
	return &http.Client{
		Transport:     client.GetTransport(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// newHTTPClient trusts the CA bundle, if one is configured, and honours the
// proxy variables as the SDK's own client does. parallel is how many calls
// will be under way at once.
func newHTTPClient(where Where, parallel int) (*http.Client, error) {
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = max(parallel, 2)
		t.MaxConnsPerHost = parallel
	})
	if where.CABundle == "" {
		return direct(client), nil
	}
	pem, err := os.ReadFile(where.CABundle)
	if err != nil {
		return nil, &InvalidError{Field: "ca_bundle", Value: where.CABundle, Why: describe(err)}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, &InvalidError{Field: "ca_bundle", Value: where.CABundle, Why: "it holds no certificate in PEM form"}
	}
	return direct(client.WithTransportOptions(func(t *http.Transport) {
		if t.TLSClientConfig == nil {
			t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		t.TLSClientConfig.RootCAs = pool
	})), nil
}

// describe gives the cause of a file error without repeating the path.
func describe(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// newSTS makes the client that every hop of a plan shares.
func newSTS(where Where, httpClient aws.HTTPClient, retryer aws.Retryer) *sts.Client {
	o := sts.Options{
		Region:     where.Region,
		HTTPClient: httpClient,
		Retryer:    retryer,
	}
	if where.Endpoint != "" {
		o.BaseEndpoint = aws.String(where.Endpoint)
	}
	o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateDisabled
	if where.FIPS {
		o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
	}
	if where.Dualstack {
		o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
	}
	if where.Global && where.Endpoint == "" {
		o.EndpointResolverV2 = globalEndpoint{sts.NewDefaultEndpointResolverV2()}
	}
	return sts.New(o)
}

// newRetryer retries throttling, 5xx and broken connections: the SDK's standard
// rules, which leave AccessDenied and ValidationError alone.
func newRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = maxAttempts
		o.MaxBackoff = 2 * time.Second
	})
}

// globalEndpoint asks for sts.amazonaws.com where sts_regional_endpoints is
// legacy. Source: AWS SDKs and tools reference, "AWS STS Regional endpoints".
type globalEndpoint struct{ inner sts.EndpointResolverV2 }

func (g globalEndpoint) ResolveEndpoint(ctx context.Context, p sts.EndpointParameters) (smithyendpoints.Endpoint, error) {
	p.UseGlobalEndpoint = aws.Bool(true)
	e, err := g.inner.ResolveEndpoint(ctx, p)
	if err != nil {
		return e, fmt.Errorf("finding the global STS endpoint: %w", err)
	}
	return e, nil
}

// signedBy gives a session's keys to one call.
func signedBy(caller Session) func(*sts.Options) {
	return func(o *sts.Options) {
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{
				AccessKeyID:     caller.AccessKeyID,
				SecretAccessKey: caller.SecretAccessKey.Reveal(),
				SessionToken:    caller.SessionToken.Reveal(),
			}, nil
		})
	}
}

func unsigned(o *sts.Options) { o.Credentials = aws.AnonymousCredentials{} }
