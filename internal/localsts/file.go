package localsts

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// FileOptions say how an account file is read.
type FileOptions struct {
	// ID is the account's 12 digits. A template needs it; a snapshot's own must agree.
	ID string
	// Parameters are values for a template's parameters.
	Parameters map[string]string
	// Partition and Region are AWS::Partition and AWS::Region; empty means aws and us-east-1.
	Partition, Region string
	// Base is an account that a template is deployed into; nil is an empty one. A snapshot can't have one.
	Base *Account
	// Stack is AWS::StackName; empty means "rehearsal".
	Stack string
}

// AccountFile is what an account file holds.
type AccountFile struct {
	Account     *Account
	OrgPolicies []TargetedPolicy // of AWS::Organizations::Policy
	Parameters  []string         // the names that a template declares
	Notes       []string         // what was skipped, a line each
}

// TargetedPolicy is an SCP or RCP with the root, units and accounts it is attached to.
type TargetedPolicy struct {
	OrgPolicy
	RCP     bool
	Targets []string
}

// ReadAccount reads an account file, whichever it is: the JSON (or YAML) of `aws iam get-account-authorization-details`, or a
// CloudFormation template in YAML or JSON.
func ReadAccount(r io.Reader, o FileOptions) (*AccountFile, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxAccountFile+1))
	if err != nil {
		return nil, fmt.Errorf("read account: %w", err)
	}
	if len(b) > maxAccountFile {
		return nil, fmt.Errorf("read account: more than %d bytes", maxAccountFile)
	}
	if looksLikeSnapshot(b) && o.Base == nil {
		return readSnapshot(b, o.ID)
	}
	root, err := parseYAML(b)
	if err != nil {
		return nil, fmt.Errorf("read account: %w", err)
	}
	if root.Kind != yaml.MappingNode {
		return nil, errors.New("read account: neither the output of get-account-authorization-details nor a template")
	}
	if member(root, "Resources") != nil {
		return readTemplate(root, o)
	}
	text, err := documentOf(root)
	if err != nil {
		return nil, fmt.Errorf("read account: %w", err)
	}
	return readSnapshot([]byte(text), o.ID)
}

func readSnapshot(b []byte, id string) (*AccountFile, error) {
	a, err := LoadAccount(bytes.NewReader(b), id)
	if err != nil {
		return nil, err
	}
	return &AccountFile{Account: a}, nil
}

// looksLikeSnapshot spares a large snapshot the YAML reader.
func looksLikeSnapshot(b []byte) bool {
	b = bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\ufeff")), " \t\r\n")
	return bytes.HasPrefix(b, []byte("{")) && !bytes.Contains(b, []byte(`"Resources"`))
}

// member is a mapping's value under a key, or nil.
func member(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// NewAccessKey makes a long-term key for an account.
func NewAccessKey(account string) (AccessKey, error) {
	seed := make([]byte, 46)
	if _, err := rand.Read(seed); err != nil {
		return AccessKey{}, fmt.Errorf("make an access key: %w", err)
	}
	return AccessKey{
		ID:     uniqueID("AKIA", account, seed[:16]),
		Secret: Secret(base64.StdEncoding.EncodeToString(seed[16:])),
	}, nil
}
