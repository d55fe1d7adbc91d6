package localsts

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"
)

// Account is one account as `aws iam get-account-authorization-details` prints it, with what that command
// leaves out and a rehearsal needs: access keys, MFA devices, and the keys of identity providers.
type Account struct {
	// ID is the 12 digits. Left empty, it is read from the first ARN in the account.
	ID        string           `json:"AccountId,omitempty"`
	Users     []*User          `json:"UserDetailList"`
	Groups    []*Group         `json:"GroupDetailList"`
	Roles     []*Role          `json:"RoleDetailList"`
	Policies  []*ManagedPolicy `json:"Policies"`
	OIDC      []*OIDCProvider  `json:"OpenIDConnectProviderList,omitempty"`
	SAML      []*SAMLProvider  `json:"SAMLProviderList,omitempty"`
	RootKeys  []AccessKey      `json:"RootAccessKeys,omitempty"`
	Partition string           `json:"Partition,omitempty"` // aws, aws-cn, aws-us-gov…; empty is read from the ARNs
}

// User is an IAM user.
type User struct {
	Path       string         `json:"Path"`
	Name       string         `json:"UserName"`
	ID         string         `json:"UserId"` // AIDA…; made up if empty
	ARN        string         `json:"Arn"`    // built from the account, path and name if empty
	Created    time.Time      `json:"CreateDate"`
	Inline     []InlinePolicy `json:"UserPolicyList,omitempty"`
	Groups     []string       `json:"GroupList"`
	Attached   []Attached     `json:"AttachedManagedPolicies"`
	Boundary   *Boundary      `json:"PermissionsBoundary,omitempty"`
	Tags       []Tag          `json:"Tags,omitempty"`
	AccessKeys []AccessKey    `json:"AccessKeys,omitempty"` // ours, not in AWS's form
	MFADevices []MFADevice    `json:"MFADevices,omitempty"` // ours, not in AWS's form
}

// Group is an IAM group.
type Group struct {
	Path     string         `json:"Path"`
	Name     string         `json:"GroupName"`
	ID       string         `json:"GroupId"`
	ARN      string         `json:"Arn"`
	Created  time.Time      `json:"CreateDate"`
	Inline   []InlinePolicy `json:"GroupPolicyList"`
	Attached []Attached     `json:"AttachedManagedPolicies"`
}

// Role is an IAM role.
type Role struct {
	Path        string         `json:"Path"`
	Name        string         `json:"RoleName"`
	ID          string         `json:"RoleId"` // AROA…; made up if empty
	ARN         string         `json:"Arn"`
	Created     time.Time      `json:"CreateDate"`
	Trust       Document       `json:"AssumeRolePolicyDocument"`
	Inline      []InlinePolicy `json:"RolePolicyList"`
	Attached    []Attached     `json:"AttachedManagedPolicies"`
	Boundary    *Boundary      `json:"PermissionsBoundary,omitempty"`
	Tags        []Tag          `json:"Tags,omitempty"`
	Description string         `json:"Description,omitempty"`
	// MaxSession is the role's MaxSessionDuration in seconds. AWS leaves it out of the account's details and
	// prints it in get-role; 0 means 3600.
	MaxSession int `json:"MaxSessionDuration,omitempty"`
}

// ManagedPolicy is a customer's or AWS's managed policy with its versions.
type ManagedPolicy struct {
	Name           string          `json:"PolicyName"`
	ID             string          `json:"PolicyId"`
	ARN            string          `json:"Arn"`
	Path           string          `json:"Path"`
	DefaultVersion string          `json:"DefaultVersionId"`
	Attachments    int             `json:"AttachmentCount"`
	Created        time.Time       `json:"CreateDate"`
	Updated        time.Time       `json:"UpdateDate"`
	Description    string          `json:"Description,omitempty"`
	Versions       []PolicyVersion `json:"PolicyVersionList"`
}

// PolicyVersion is one version of a managed policy.
type PolicyVersion struct {
	Document  Document  `json:"Document"`
	ID        string    `json:"VersionId"`
	IsDefault bool      `json:"IsDefaultVersion"`
	Created   time.Time `json:"CreateDate"`
}

// InlinePolicy is a policy that lives in one user, group or role.
type InlinePolicy struct {
	Name     string   `json:"PolicyName"`
	Document Document `json:"PolicyDocument"`
}

// Attached names a managed policy that is attached.
type Attached struct {
	Name string `json:"PolicyName"`
	ARN  string `json:"PolicyArn"`
}

// Boundary names the managed policy that is a permissions boundary.
type Boundary struct {
	Type string `json:"PermissionsBoundaryType"`
	ARN  string `json:"PermissionsBoundaryArn"`
}

// Tag is a key and a value.
type Tag struct {
	Key   string `json:"Key"`
	Value string `json:"Value"`
}

// AccessKey is a long-term key.
type AccessKey struct {
	ID       string    `json:"AccessKeyId"`
	Secret   Secret    `json:"SecretAccessKey"`
	Inactive bool      `json:"Inactive,omitempty"`
	Created  time.Time `json:"CreateDate"`
}

// MFADevice is a virtual MFA device. Seed is the base-32 secret of its TOTP codes (RFC 6238: SHA-1, six digits,
// 30 seconds).
type MFADevice struct {
	Serial  string    `json:"SerialNumber"`
	Seed    Secret    `json:"Base32StringSeed"`
	Enabled time.Time `json:"EnableDate"`
}

// OIDCProvider is an OpenID Connect provider with its public keys, which stand in for what AWS fetches from the
// provider's jwks_uri.
type OIDCProvider struct {
	ARN       string          `json:"Arn"`
	URL       string          `json:"Url"` // with or without https://
	ClientIDs []string        `json:"ClientIDList"`
	JWKS      json.RawMessage `json:"JWKS,omitempty"` // a JSON Web Key Set
	Created   time.Time       `json:"CreateDate"`
}

// SAMLProvider is a SAML provider with its metadata document, whose certificates sign assertions.
type SAMLProvider struct {
	ARN      string    `json:"Arn"`
	Metadata string    `json:"SAMLMetadataDocument"`
	Created  time.Time `json:"CreateDate"`
}

// Secret is a string that does not print itself.
type Secret string

// String hides the secret.
func (Secret) String() string { return "***" }

// GoString hides the secret.
func (Secret) GoString() string { return "***" }

// MarshalJSON hides the secret.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"***"`), nil }

// Document is the text of a policy. In JSON it may be the object itself (as the AWS CLI prints it) or a string,
// percent-encoded (as the IAM API returns it) or not.
type Document string

// UnmarshalJSON reads an object or a string.
func (d *Document) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '"' {
		*d = Document(b)
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if strings.HasPrefix(s, "%7B") || strings.HasPrefix(s, "%7b") {
		if u, err := url.PathUnescape(s); err == nil {
			s = u
		}
	}
	*d = Document(s)
	return nil
}

// MarshalJSON writes the document as an object where it is JSON, else as a string.
func (d Document) MarshalJSON() ([]byte, error) {
	if json.Valid([]byte(d)) {
		return []byte(d), nil
	}
	return json.Marshal(string(d))
}

// maxAccountFile bounds what LoadAccount reads; 5,000 roles are about 20 MB.
const maxAccountFile = 256 << 20

// LoadAccount reads an account file: the JSON of `aws iam get-account-authorization-details`, to which
// AccountId, AccessKeys, MFADevices and identity providers may be added. A non-empty id is the account's and must agree with the file.
func LoadAccount(r io.Reader, id string) (*Account, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxAccountFile+1))
	if err != nil {
		return nil, fmt.Errorf("read account: %w", err)
	}
	if len(b) > maxAccountFile {
		return nil, fmt.Errorf("read account: more than %d bytes", maxAccountFile)
	}
	a := &Account{}
	if err := json.Unmarshal(b, a); err != nil {
		return nil, fmt.Errorf("read account: %w", err)
	}
	if id != "" && a.ID != "" && a.ID != id {
		return nil, fmt.Errorf("read account: the file is of account %q, not %q", a.ID, id)
	}
	if id != "" {
		a.ID = id
	}
	if err := a.complete(); err != nil {
		return nil, err
	}
	return a, nil
}

// ErrNoAccountID is returned for an account file that does not say whose it is.
var ErrNoAccountID = errors.New("nothing says which account it is: no AccountId and no ARN")

// complete fills in what follows from the rest: account id, partition, paths, ARNs.
func (a *Account) complete() error {
	for _, arn := range a.arns() {
		p, ok := splitARN(arn)
		if arn != "" && !isWord(arn) {
			return fmt.Errorf("account %s: %q is not an ARN", a.ID, arn)
		}
		if !ok || p.account == "aws" || p.account == "" {
			continue
		}
		if a.ID == "" {
			a.ID = p.account
		}
		if a.Partition == "" {
			a.Partition = p.partition
		}
		if p.account != a.ID {
			return fmt.Errorf("account %s: %q belongs to another account", a.ID, arn)
		}
	}
	if a.ID == "" {
		return ErrNoAccountID
	}
	if !isAccountID(a.ID) {
		return fmt.Errorf("account %q: an account id is 12 digits", a.ID)
	}
	if a.Partition == "" {
		a.Partition = "aws"
	}
	a.completeARNs()
	for _, arn := range a.arns() { // once more: those that were put together from a path
		if !isWord(arn) {
			return fmt.Errorf("account %s: %q is not an ARN", a.ID, arn)
		}
	}
	a.completeDates()
	return nil
}

func (a *Account) arns() (out []string) {
	for _, u := range a.Users {
		out = append(out, u.ARN)
	}
	for _, r := range a.Roles {
		out = append(out, r.ARN)
	}
	for _, g := range a.Groups {
		out = append(out, g.ARN)
	}
	for _, p := range a.OIDC {
		out = append(out, p.ARN)
	}
	for _, p := range a.SAML {
		out = append(out, p.ARN)
	}
	return out
}

// epoch is the creation date of what came without one, so that the same file gives the same answers at every start.
var epoch = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

func (a *Account) completeDates() {
	set := func(t *time.Time) {
		if t.IsZero() {
			*t = epoch
		}
	}
	for _, u := range a.Users {
		set(&u.Created)
		for i := range u.AccessKeys {
			set(&u.AccessKeys[i].Created)
		}
		for i := range u.MFADevices {
			set(&u.MFADevices[i].Enabled)
		}
	}
	for _, r := range a.Roles {
		set(&r.Created)
	}
	for _, g := range a.Groups {
		set(&g.Created)
	}
	for _, p := range a.Policies {
		set(&p.Created)
		set(&p.Updated)
		for i := range p.Versions {
			set(&p.Versions[i].Created)
		}
	}
	for _, p := range a.OIDC {
		set(&p.Created)
	}
	for _, p := range a.SAML {
		set(&p.Created)
	}
}

func (a *Account) completeARNs() {
	for _, u := range a.Users {
		a.fill(&u.Path, &u.ARN, "user", u.Name)
		a.fillID(&u.ID, "AIDA", u.ARN)
	}
	for _, r := range a.Roles {
		a.fill(&r.Path, &r.ARN, "role", r.Name)
		a.fillID(&r.ID, "AROA", r.ARN)
		if r.MaxSession == 0 {
			r.MaxSession = 3600
		}
	}
	for _, g := range a.Groups {
		a.fill(&g.Path, &g.ARN, "group", g.Name)
		a.fillID(&g.ID, "AGPA", g.ARN)
	}
	for _, p := range a.Policies {
		a.fill(&p.Path, &p.ARN, "policy", p.Name)
		a.fillID(&p.ID, "ANPA", p.ARN)
	}
	for _, p := range a.OIDC {
		p.URL = strings.TrimPrefix(p.URL, "https://")
		if p.ARN == "" {
			p.ARN = a.iam("oidc-provider/" + p.URL)
		}
		if p.URL == "" {
			_, p.URL, _ = strings.Cut(p.ARN, ":oidc-provider/")
		}
	}
}

func (a *Account) fill(path, arn *string, kind, name string) {
	if p, ok := splitARN(*arn); ok && *path == "" {
		*path = p.resource[strings.IndexByte(p.resource+"/", '/') : strings.LastIndexByte(p.resource, '/')+1]
	}
	if *path == "" {
		*path = "/"
	}
	if *arn == "" {
		*arn = a.iam(kind + *path + name)
	}
}

// fillID derives a unique id from the ARN, so that the same file gives the same ids at every start.
func (a *Account) fillID(id *string, prefix, arn string) {
	if *id == "" {
		*id = uniqueID(prefix, a.ID, []byte(arn))
	}
}

// iam is the ARN of an IAM resource of the account.
func (a *Account) iam(resource string) string {
	return "arn:" + a.Partition + ":iam::" + a.ID + ":" + resource
}

// sts is the ARN of a session of the account.
func (a *Account) sts(resource string) string {
	return "arn:" + a.Partition + ":sts::" + a.ID + ":" + resource
}

type arnParts struct{ partition, service, region, account, resource string }

func splitARN(s string) (arnParts, bool) {
	f := strings.SplitN(s, ":", 6)
	if len(f) != 6 || f[0] != "arn" || f[1] == "" || f[2] == "" || f[5] == "" {
		return arnParts{}, false
	}
	return arnParts{f[1], f[2], f[3], f[4], f[5]}, true
}

func isAccountID(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}
