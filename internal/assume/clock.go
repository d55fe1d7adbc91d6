package assume

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// ErrNoTime means that the answer of an endpoint did not say what time it is.
var ErrNoTime = errors.New("the answer has no date")

// Clock asks the STS endpoint of a plan for its time, without credentials, and
// says how far this machine's clock is ahead of it (to a second; negative:
// behind), and which endpoint answered.
func Clock(ctx context.Context, where Where, now func() time.Time) (ahead time.Duration, endpoint string, err error) {
	params := sts.EndpointParameters{
		Region: aws.String(where.Region), UseFIPS: aws.Bool(where.FIPS), UseDualStack: aws.Bool(where.Dualstack), UseGlobalEndpoint: aws.Bool(false),
	}
	if where.Endpoint != "" {
		params.Endpoint = aws.String(where.Endpoint)
	}
	resolved, err := sts.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, params)
	if err != nil {
		return 0, "", fmt.Errorf("finding the endpoint of STS in region %q: %w", where.Region, err)
	}
	endpoint = resolved.URI.String()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, endpoint, nil)
	if err != nil {
		return 0, endpoint, fmt.Errorf("asking %q for its time: %w", endpoint, err)
	}
	client, err := newHTTPClient(where, 1)
	if err != nil {
		return 0, endpoint, err
	}
	sent := now()
	answer, err := client.Do(req)
	if err != nil {
		return 0, endpoint, fmt.Errorf("asking %q for its time: %w", endpoint, err)
	}
	took := now().Sub(sent)
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<16))
	answer.Body.Close()
	theirs, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return 0, endpoint, fmt.Errorf("asking %q for its time: %w", endpoint, ErrNoTime)
	}
	// The header has whole seconds, so the truth is half a second later on average.
	return sent.Add(took / 2).Sub(theirs.Add(time.Second / 2)).Round(time.Second), endpoint, nil
}
