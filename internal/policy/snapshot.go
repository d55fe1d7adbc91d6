package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxEntityBytes bounds one user, group, role or policy of a snapshot. IAM's quotas keep real ones below 200 kB.
const maxEntityBytes = 4 << 20

// PolicyText is a policy inside a snapshot: an object, or a string that holds the JSON, percent-encoded or not.
type PolicyText struct{ raw json.RawMessage }

// UnmarshalJSON keeps the bytes; reading them is left to [PolicyText.Document].
func (p *PolicyText) UnmarshalJSON(b []byte) error {
	p.raw = append(p.raw[:0], b...)
	return nil
}

// MarshalJSON gives the bytes back.
func (p PolicyText) MarshalJSON() ([]byte, error) {
	if len(p.raw) == 0 {
		return []byte("null"), nil
	}
	return p.raw, nil
}

// Document reads the policy; nil when there was none. What is not JSON becomes a document that the validator refuses.
func (p PolicyText) Document(file string) *Document {
	var text string
	switch {
	case len(p.raw) == 0 || string(p.raw) == "null":
		return nil
	case p.raw[0] == '"' && json.Unmarshal(p.raw, &text) == nil:
		return embedded(text, file, Pos{})
	}
	return embedded(string(p.raw), file, Pos{})
}

// InlinePolicy is a policy that belongs to one user, group or role.
type InlinePolicy struct {
	PolicyName     string
	PolicyDocument PolicyText
}

// AttachedPolicy names a managed policy.
type AttachedPolicy struct {
	PolicyName string
	PolicyArn  string
}

// BoundaryRef names the managed policy that is a permissions boundary.
type BoundaryRef struct {
	PermissionsBoundaryArn string
}

// Tag is one tag of a user or role.
type Tag struct{ Key, Value string }

// UserDetail is a user of a snapshot.
type UserDetail struct {
	Path, UserName, UserId, Arn string
	UserPolicyList              []InlinePolicy
	GroupList                   []string
	AttachedManagedPolicies     []AttachedPolicy
	PermissionsBoundary         *BoundaryRef
	Tags                        []Tag
}

// GroupDetail is a group of a snapshot.
type GroupDetail struct {
	Path, GroupName, GroupId, Arn string
	GroupPolicyList               []InlinePolicy
	AttachedManagedPolicies       []AttachedPolicy
}

// RoleDetail is a role of a snapshot. MaxSessionDuration (seconds) is 0 when the snapshot does not tell.
type RoleDetail struct {
	Path, RoleName, RoleId, Arn string
	AssumeRolePolicyDocument    PolicyText
	RolePolicyList              []InlinePolicy
	AttachedManagedPolicies     []AttachedPolicy
	PermissionsBoundary         *BoundaryRef
	MaxSessionDuration          int
	Tags                        []Tag
}

// ManagedPolicyDetail is a managed policy of a snapshot, with its versions.
type ManagedPolicyDetail struct {
	PolicyName, PolicyId, Arn, Path, DefaultVersionId string
	PolicyVersionList                                 []PolicyVersion
}

// PolicyVersion is one version of a managed policy.
type PolicyVersion struct {
	VersionId        string
	IsDefaultVersion bool
	Document         PolicyText
}

// Default is the policy's version in force; nil when the snapshot does not hold it.
func (p *ManagedPolicyDetail) Default(file string) *Document {
	for _, v := range p.PolicyVersionList {
		if v.IsDefaultVersion || v.VersionId == p.DefaultVersionId && v.VersionId != "" {
			return v.Document.Document(file)
		}
	}
	return nil
}

// SnapshotVisitor is told every entity of a snapshot; a nil function passes over its kind. An error stops the walk and is
// returned; [ErrStop] stops it without one.
type SnapshotVisitor struct {
	User   func(*UserDetail) error
	Group  func(*GroupDetail) error
	Role   func(*RoleDetail) error
	Policy func(*ManagedPolicyDetail) error
}

// ErrStop is returned by a visitor that has seen enough.
var ErrStop = errors.New("stop")

// WalkSnapshot reads the JSON of `aws iam get-account-authorization-details` (one object, or several pages one after the
// other) as a stream: memory is bounded by the largest single entity, which may have 4 MiB. file is only named in errors.
func WalkSnapshot(r io.Reader, file string, v SnapshotVisitor) error {
	limited := &entityReader{r: r}
	w := &snapshotWalk{in: limited, dec: json.NewDecoder(limited), file: file, visitor: v}
	err := w.pages()
	if errors.Is(err, ErrStop) {
		return nil
	}
	return err
}

// errTooLarge says that one entity does not end within the limit.
var errTooLarge = errors.New("one entity is larger than any that IAM allows")

// entityReader fails when more bytes than the limit are read without the walk having moved on.
type entityReader struct {
	r    io.Reader
	left int
}

func (e *entityReader) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, errTooLarge
	}
	n, err := e.r.Read(p[:min(len(p), e.left)])
	e.left -= n
	return n, err
}

type snapshotWalk struct {
	in      *entityReader
	dec     *json.Decoder
	file    string
	visitor SnapshotVisitor
}

func (w *snapshotWalk) fail(err error) error {
	return fmt.Errorf("read account snapshot %q at byte %d: %w", w.file, w.dec.InputOffset(), err)
}

func (w *snapshotWalk) token() (json.Token, error) {
	w.in.left = maxEntityBytes
	t, err := w.dec.Token()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, w.fail(err)
	}
	return t, nil
}

// pages walks every top-level object.
func (w *snapshotWalk) pages() error {
	for pages := 0; ; pages++ {
		w.in.left = maxEntityBytes
		t, err := w.dec.Token()
		if errors.Is(err, io.EOF) && pages > 0 {
			return nil
		}
		if err != nil {
			return w.fail(err)
		}
		if t != json.Delim('{') {
			return w.fail(fmt.Errorf("expected an object with UserDetailList, GroupDetailList, RoleDetailList and Policies"))
		}
		if err := w.page(); err != nil {
			return err
		}
	}
}

func (w *snapshotWalk) page() error {
	for w.more() {
		key, err := w.token()
		if err != nil {
			return err
		}
		switch key {
		case "UserDetailList":
			err = walkList(w, w.visitor.User)
		case "GroupDetailList":
			err = walkList(w, w.visitor.Group)
		case "RoleDetailList":
			err = walkList(w, w.visitor.Role)
		case "Policies":
			err = walkList(w, w.visitor.Policy)
		default:
			err = w.skip()
		}
		if err != nil {
			return err
		}
	}
	_, err := w.token()
	return err
}

func (w *snapshotWalk) more() bool {
	w.in.left = maxEntityBytes
	return w.dec.More()
}

// skip passes over one value, token by token.
func (w *snapshotWalk) skip() error {
	depth := 0
	for {
		t, err := w.token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// walkList hands over one entity after the other.
func walkList[T any](w *snapshotWalk, visit func(*T) error) error {
	if visit == nil {
		return w.skip()
	}
	switch t, err := w.token(); {
	case err != nil:
		return err
	case t == nil:
		return nil // null
	case t != json.Delim('['):
		return w.fail(errors.New("expected a list"))
	}
	for w.more() {
		var entity T
		if err := w.dec.Decode(&entity); err != nil {
			return w.fail(err)
		}
		if err := visit(&entity); err != nil {
			return err
		}
	}
	_, err := w.token()
	return err
}
