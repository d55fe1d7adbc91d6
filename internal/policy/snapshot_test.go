package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"runtime"
	"strings"
	"testing"
)

func snapshotText(order ...string) string {
	allow := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}`
	encoded := strings.ReplaceAll(url.QueryEscape(allow), "+", "%20")
	parts := map[string]string{
		"users": `"UserDetailList":[{"Path":"/","UserName":"other","Arn":"arn:aws:iam::111111111111:user/other"},{"Path":"/t/","UserName":"alice","UserId":"AIDAALICE12345678",
			"Arn":"arn:aws:iam::111111111111:user/t/alice","CreateDate":"2024-01-01","UserPolicyList":[{"PolicyName":"inline","PolicyDocument":"` + encoded + `"}],"GroupList":["devs","gone"],
			"AttachedManagedPolicies":[{"PolicyName":"managed","PolicyArn":"arn:aws:iam::111111111111:policy/managed"},{"PolicyName":"lost","PolicyArn":"arn:aws:iam::111111111111:policy/lost"}],
			"PermissionsBoundary":{"PermissionsBoundaryType":"Policy","PermissionsBoundaryArn":"arn:aws:iam::111111111111:policy/bound"},"Tags":[{"Key":"a","Value":"b"}]}]`,
		"groups": `"GroupDetailList":[{"GroupName":"devs","GroupPolicyList":[{"PolicyName":"g","PolicyDocument":` + allow + `}],"AttachedManagedPolicies":[{"PolicyName":"fromgroup","PolicyArn":"arn:aws:iam::aws:policy/fromgroup"}]}]`,
		"roles": `"RoleDetailList":[{"Path":"/p/","RoleName":"Target","RoleId":"AROATARGET1234567","Arn":"arn:aws:iam::111111111111:role/p/Target","AssumeRolePolicyDocument":"` +
			url.PathEscape(`{"Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"a+b"}}}}`) + `","MaxSessionDuration":7200,
			"RolePolicyList":[],"AttachedManagedPolicies":[{"PolicyName":"managed","PolicyArn":"arn:aws:iam::111111111111:policy/managed"}],"InstanceProfileList":[{"Roles":[{}]}]}]`,
		"policies": `"Policies":[{"PolicyName":"managed","Arn":"arn:aws:iam::111111111111:policy/managed","DefaultVersionId":"v2","PolicyVersionList":[{"VersionId":"v1","IsDefaultVersion":false,"Document":"junk"},
			{"VersionId":"v2","IsDefaultVersion":true,"Document":"` + encoded + `"}]},{"Arn":"arn:aws:iam::aws:policy/fromgroup","DefaultVersionId":"v1","PolicyVersionList":[{"VersionId":"v1","Document":` + allow + `}]},
			{"Arn":"arn:aws:iam::111111111111:policy/bound","DefaultVersionId":"v1","PolicyVersionList":[{"VersionId":"v1","Document":` + allow + `}]}]`,
		"other": `"IsTruncated":false,"Marker":null,"More":{"a":[1,{"b":[]}]}`,
	}
	var list []string
	for _, o := range order {
		list = append(list, parts[o])
	}
	return "{" + strings.Join(list, ",") + "}"
}

// The order of the lists does not matter, nor whether the pages were joined.
func TestFind(t *testing.T) {
	for name, text := range map[string]string{
		"AWS's order":  snapshotText("users", "groups", "roles", "policies", "other"),
		"backwards":    snapshotText("other", "policies", "roles", "groups", "users"),
		"pages":        snapshotText("users", "roles") + "\n" + snapshotText("groups", "policies", "other"),
		"pages, mixed": snapshotText("groups", "policies") + snapshotText("users", "roles"),
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Find(strings.NewReader(text), "snap.json", "arn:aws:iam::111111111111:user/t/alice", "arn:aws:iam::111111111111:role/Target")
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, p := range f.Caller.Identity {
				names = append(names, p.Name)
				if hasErrors(p.Document.Validate(Identity)) {
					t.Errorf("%s: %v", p.Name, p.Document.Validate(Identity))
				}
			}
			if got := strings.Join(names, " "); got != "inline devs/g managed devs/fromgroup" {
				t.Errorf("policies %s", got)
			}
			if got := strings.Join(f.Unresolved, " "); got != "group gone arn:aws:iam::111111111111:policy/lost" {
				t.Errorf("unresolved %s", got)
			}
			if f.Caller.Boundary == nil || f.Caller.Caller.UniqueID != "AIDAALICE12345678" || f.Caller.Tags[0].Value != "b" {
				t.Errorf("caller %+v", f.Caller)
			}
			r := f.Role
			if r == nil || r.ARN != "arn:aws:iam::111111111111:role/p/Target" || r.UniqueID != "AROATARGET1234567" || r.MaxSessionDuration != 7200 ||
				r.Trust.Statements[0].Conditions[0].Values[0].Text != "a+b" {
				t.Errorf("role %+v", r)
			}
		})
	}
}

func TestFindRolesSession(t *testing.T) {
	text := snapshotText("users", "groups", "roles", "policies")
	f, err := Find(strings.NewReader(text), "", "arn:aws:sts::111111111111:assumed-role/Target/me", "arn:aws:iam::111111111111:role/q/Target")
	if err != nil {
		t.Fatal(err)
	}
	if f.Role != nil {
		t.Error("a role with another path was found")
	}
	want := Caller{ARN: "arn:aws:sts::111111111111:assumed-role/Target/me", PrincipalARN: "arn:aws:iam::111111111111:role/p/Target", UniqueID: "AROATARGET1234567"}
	if f.Caller == nil || f.Caller.Caller != want || len(f.Caller.Identity) != 1 || len(f.Unresolved) != 0 {
		t.Errorf("%+v", f.Caller)
	}
	if f, err = Find(strings.NewReader(text), "", "arn:aws:iam::111111111111:user/nobody", ""); err != nil || f.Caller != nil {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestWalkSnapshotErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "EOF",
		"[]":                             "expected an object",
		`{"UserDetailList":{}}`:          "expected a list",
		`{"UserDetailList":[{"Arn":5}]}`: "Arn",
		`{"UserDetailList":[{"Arn":"a"}`: "unexpected EOF",
		`{"RoleDetailList":null`:         "unexpected EOF",
		`{"UserDetailList":[{"Arn":"` + strings.Repeat("a", 5<<20) + `"}]}`: "larger than",
	} {
		err := WalkSnapshot(strings.NewReader(text), "s.json", SnapshotVisitor{User: func(*UserDetail) error { return nil }})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `"s.json"`) {
			t.Errorf("%.40s: %v, want %s", text, err, want)
		}
	}
	stop := SnapshotVisitor{User: func(*UserDetail) error { return ErrStop }}
	if err := WalkSnapshot(strings.NewReader(snapshotText("users")), "", stop); err != nil {
		t.Errorf("stopping is an error: %v", err)
	}
	mine := errors.New("mine")
	if err := WalkSnapshot(strings.NewReader(snapshotText("roles")), "", SnapshotVisitor{Role: func(*RoleDetail) error { return mine }}); !errors.Is(err, mine) {
		t.Errorf("visitor's error: %v", err)
	}
}

// bigSnapshot gives a snapshot of about size bytes without holding it, with one user and one role to be found at its end.
func bigSnapshot(size int) io.Reader {
	doc := url.PathEscape(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::bucket-` + strings.Repeat("x", 1500) + `"}]}`)
	one := fmt.Sprintf(`{"RoleName":"r","Arn":"arn:aws:iam::111111111111:role/r%%d","AssumeRolePolicyDocument":"%s"},`, strings.ReplaceAll(doc, "%", "%%"))
	n := 0
	left := size / len(one)
	return io.MultiReader(strings.NewReader(`{"RoleDetailList":[`), readerFunc(func(p []byte) (int, error) {
		if n == left {
			return 0, io.EOF
		}
		if len(p) < len(one)+16 {
			return 0, io.ErrShortBuffer
		}
		n++
		return copy(p, fmt.Sprintf(one, n)), nil
	}), strings.NewReader(`{"Arn":"arn:aws:iam::111111111111:role/Last","AssumeRolePolicyDocument":{}}]}`))
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// 50 MB are read in bounded memory: what is live at any entity stays small.
func TestWalkSnapshotMemory(t *testing.T) {
	size := 50 << 20
	if testing.Short() {
		size = 10 << 20
	}
	roles, most := 0, uint64(0)
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	err := WalkSnapshot(newBuffered(bigSnapshot(size)), "big", SnapshotVisitor{Role: func(r *RoleDetail) error {
		if roles++; roles%5000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
		}
		return nil
	}})
	if err != nil || roles < 1000 {
		t.Fatalf("%d roles, %v", roles, err)
	}
	if grown := int64(most) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("%d bytes live while reading %d", grown, size)
	}
}

// newBuffered gives readerFunc the large buffers it wants.
func newBuffered(r io.Reader) io.Reader {
	pr := &chunked{r: r, buf: make([]byte, 0, 1<<16)}
	return pr
}

type chunked struct {
	r    io.Reader
	buf  []byte
	from int
}

func (c *chunked) Read(p []byte) (int, error) {
	if c.from == len(c.buf) {
		n, err := c.r.Read(c.buf[:cap(c.buf)])
		if n == 0 {
			return 0, err
		}
		c.buf, c.from = c.buf[:n], 0
	}
	n := copy(p, c.buf[c.from:])
	c.from += n
	return n, nil
}

func BenchmarkSnapshot50MB(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(50 << 20)
	for b.Loop() {
		if err := WalkSnapshot(newBuffered(bigSnapshot(50<<20)), "big", SnapshotVisitor{Role: func(*RoleDetail) error { return nil }}); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzSnapshot(f *testing.F) {
	f.Add([]byte(snapshotText("users", "groups", "roles", "policies", "other")))
	f.Add([]byte(`{"Policies":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		found, err := Find(bytes.NewReader(data), "f", "arn:aws:iam::111111111111:user/t/alice", "arn:aws:iam::111111111111:role/Target")
		if err == nil && found.Caller != nil {
			for _, p := range found.Caller.Identity {
				p.Document.Validate(Identity)
			}
		}
	})
}
