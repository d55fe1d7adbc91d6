package assume

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Account is a member of an organization.
type Account struct {
	ID   string `json:"Id"`
	ARN  string `json:"Arn"`
	Name string `json:"Name"`
	// Status is ACTIVE, SUSPENDED or PENDING_CLOSURE.
	Status string `json:"Status"`
}

// Accounts lists an organization's accounts, or those below one OU or root
// (ou-…, r-…) at any depth. The caller needs organizations:ListAccounts, or
// ListAccountsForParent and ListOrganizationalUnitsForParent.
// Source: AWS Organizations API reference. service/organizations is not linked:
// its schemas cost every start of the program half a millisecond.
func (r *Runner) Accounts(ctx context.Context, s Session, partition, parent string) ([]Account, error) {
	o := organizations{r, s, partition}
	if url, _ := organizationsEndpoint(partition); url == "" && r.endpoint("ORGANIZATIONS") == nil {
		return nil, &InvalidError{
			Field: "region", Why: "the endpoint of AWS Organizations in partition " + partition + " is not known",
			Advice: []string{"set AWS_ENDPOINT_URL_ORGANIZATIONS"},
		}
	}
	var (
		list []Account
		err  error
	)
	if parent == "" {
		list, err = pages[Account](ctx, o, "ListAccounts", nil, "Accounts")
	} else {
		list, err = o.below(ctx, parent, map[string]bool{})
	}
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{} // one that was moved meanwhile is there twice
	return slices.DeleteFunc(list, func(a Account) bool {
		again := seen[a.ID]
		seen[a.ID] = true
		return again
	}), nil
}

type organizations struct {
	r         *Runner
	session   Session
	partition string
}

// below walks the tree of OUs. seen keeps a lying server from sending us round.
func (o organizations) below(ctx context.Context, parent string, seen map[string]bool) ([]Account, error) {
	if seen[parent] {
		return nil, nil
	}
	seen[parent] = true
	in := map[string]string{"ParentId": parent}
	list, err := pages[Account](ctx, o, "ListAccountsForParent", in, "Accounts")
	if err != nil {
		return nil, err
	}
	units, err := pages[struct{ ID string }](ctx, o, "ListOrganizationalUnitsForParent", in, "OrganizationalUnits")
	if err != nil {
		return nil, err
	}
	for _, unit := range units {
		more, err := o.below(ctx, unit.ID, seen)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	return list, nil
}

// maxPages bounds what a server may send: 20 accounts a page at the least.
const maxPages = 10000

// pages follows NextToken to the end. An empty page is not the end.
func pages[T any](ctx context.Context, o organizations, action string, in map[string]string, field string) ([]T, error) {
	var list []T
	token, seen := "", map[string]bool{}
	broken := place{what: "organizations:" + action}.broken
	for range maxPages {
		body := map[string]string{}
		for k, v := range in {
			body[k] = v
		}
		if token != "" {
			body["NextToken"] = token
		}
		answer := map[string]json.RawMessage{}
		if err := o.call(ctx, action, body, &answer); err != nil {
			return nil, err
		}
		var page []T
		if raw, ok := answer[field]; ok {
			if err := json.Unmarshal(raw, &page); err != nil {
				return nil, broken("the answer's " + field + " can't be read")
			}
		}
		list = append(list, page...)
		next := ""
		if raw, ok := answer["NextToken"]; ok {
			if err := json.Unmarshal(raw, &next); err != nil { // null is none
				return nil, broken("the answer's NextToken can't be read")
			}
		}
		if next == "" {
			return list, nil
		}
		if seen[next] {
			return nil, broken("the answer's pages go round in a circle")
		}
		seen[next], token = true, next
	}
	return nil, broken("the answer has no end")
}

// organizationsAttempts is how often a throttled request is sent: the service
// answers only a few a second. --timeout ends it sooner.
const organizationsAttempts = 20

// call makes one request of the JSON 1.1 protocol, signed, and retried as every
// other call is.
func (o organizations) call(ctx context.Context, action string, in, out any) error {
	at := place{what: "organizations:" + action}
	body, err := json.Marshal(in)
	if err != nil {
		return at.broken(err.Error())
	}
	var raw []byte
	var status int
	err = within(ctx, o.r.deps.Timeout, func(ctx context.Context) error {
		for attempt := 1; ; attempt++ {
			status, raw, err = o.post(ctx, action, body)
			throttled := err == nil && throttledJSON(status, raw)
			switch {
			case ctx.Err() != nil, err == nil && status < 500 && !throttled:
				return err
			case !throttled && attempt == maxAttempts, attempt == organizationsAttempts:
				return err
			}
			if err := sleep(ctx, min(time.Duration(attempt*attempt)*200*time.Millisecond, 5*time.Second)); err != nil {
				return err
			}
		}
	})
	o.r.logCall(at, err)
	if err != nil {
		return at.explain(err)
	}
	if status != http.StatusOK {
		return at.refused(status, raw)
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return at.broken("the answer is no JSON")
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// post sends the request once. maxAnswer bounds what is read of the answer.
func (o organizations) post(ctx context.Context, action string, body []byte) (int, []byte, error) {
	const maxAnswer = 4 << 20
	host, region := organizationsEndpoint(o.partition)
	if at := o.r.endpoint("ORGANIZATIONS"); at != nil {
		host = *at
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, host, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "AWSOrganizationsV20161128."+action)
	sum := sha256.Sum256(body)
	err = v4.NewSigner().SignHTTP(ctx, aws.Credentials{
		AccessKeyID: o.session.AccessKeyID, SecretAccessKey: o.session.SecretAccessKey.Reveal(), SessionToken: o.session.SessionToken.Reveal(),
	}, req, hex.EncodeToString(sum[:]), "organizations", region, o.r.deps.Now())
	if err != nil {
		return 0, nil, err
	}
	res, err := o.r.http.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("asking AWS Organizations: %w", err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return res.StatusCode, raw, err
}

// organizationsEndpoint is the one region of a partition that answers.
// Source: AWS general reference, "AWS Organizations endpoints and quotas".
func organizationsEndpoint(partition string) (url, region string) {
	switch partition {
	case "aws-cn":
		return "https://organizations.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1"
	case "aws-us-gov":
		return "https://organizations.us-gov-west-1.amazonaws.com", "us-gov-west-1"
	case "aws":
		return "https://organizations.us-east-1.amazonaws.com", "us-east-1"
	default:
		return "", homeRegion(partition)
	}
}

// jsonError is an error document of the JSON protocol.
type jsonError struct {
	Type    string `json:"__type"`
	Message string `json:"message"`
	Other   string `json:"Message"`
}

func readJSONError(raw []byte) jsonError {
	var e jsonError
	_ = json.Unmarshal(raw, &e) // an unreadable document has no code
	if i := bytes.LastIndexByte([]byte(e.Type), '#'); i >= 0 {
		e.Type = e.Type[i+1:]
	}
	if e.Message == "" {
		e.Message = e.Other
	}
	return e
}

func throttledJSON(status int, raw []byte) bool {
	if status == http.StatusTooManyRequests {
		return true
	}
	_, known := retry.DefaultThrottleErrorCodes[readJSONError(raw).Type]
	return status != http.StatusOK && known
}

// refused explains an error document.
func (p place) refused(status int, raw []byte) error {
	e := readJSONError(raw)
	if denials[e.Type] {
		return &DeniedError{Action: p.action(), Code: "AccessDenied", Message: e.Message, Caller: callerIn(e.Message), RoleARN: "the organization"}
	}
	if e.Type == "" {
		return p.broken(fmt.Sprintf("the endpoint answered %d and nothing that AWS would say", status))
	}
	return &CallError{Doing: p.doing(), Why: "AWS says " + oneLine(e.Type) + ": " + oneLine(e.Message), Code: e.Type, Advice: adviceFor(e.Type, e.Message)}
}

func callerIn(message string) string {
	if m := authorizedForm.FindStringSubmatch(message); m != nil {
		return oneLine(m[1])
	}
	return ""
}
