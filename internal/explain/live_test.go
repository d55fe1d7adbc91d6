package explain

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"crossrole/internal/assume"
	"crossrole/internal/policy"
	"crossrole/internal/profile"
)

const (
	home, far = "111111111111", "222222222222"
	alice     = "arn:aws:iam::" + home + ":user/alice"
	hopRole   = "arn:aws:iam::" + home + ":role/team/Hop"
	farRole   = "arn:aws:iam::" + far + ":role/Far"
	mayAll    = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	onlyEC2   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:*","Resource":"*"}]}`
	mayNot    = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"sts:AssumeRole","Resource":"*"}]}`
	denyAll   = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole","Resource":"*"}]}`
	allowAll  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`
	config    = "[profile one]\nrole_arn = " + farRole + "\nsource_profile = me\nexternal_id = x1\n" +
		"[profile hop]\nrole_arn = " + hopRole + "\nsource_profile = me\nsession_policy_arns = arn:aws:iam::" + home + ":policy/Narrow\n" +
		"[profile two]\nrole_arn = " + farRole + "\nsource_profile = hop\n" +
		"[profile me]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = secret\n" +
		"[profile lost]\nrole_arn = arn:aws:iam::222222222222:user/x\nsource_profile = me\nduration_seconds = 1\n"
)

func letsIn(principal string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":"sts:AssumeRole"}]}`
}

// chainOf understands a profile of config.
func chainOf(t *testing.T, name string) *Chain {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	getenv := func(n string) string {
		return map[string]string{"AWS_CONFIG_FILE": file, "AWS_SHARED_CREDENTIALS_FILE": file + ".none"}[n]
	}
	files, err := profile.DefaultFiles(getenv, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	set, err := profile.Load(files, getenv)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := set.Resolve(name)
	e, err := Understand(set, name, chain, err, assume.Overrides{Who: "tester"})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

var errRefused = errors.New("AccessDenied")

type absent struct{ error }

func (absent) NoSuchEntity() bool { return true }

// account is a Reader of what a test says; what it does not say is refused.
type account struct {
	identity     string // of every user and role
	unread       []string
	trust        map[string]string // by role
	managed      map[string]string
	organization *policy.Organization
	none         bool // in no organization
	scps, rcps   string
}

func (a *account) Caller(_ context.Context, who policy.Caller) (*policy.FoundCaller, []string, error) {
	if a.identity == "" {
		return nil, nil, errRefused
	}
	d, err := policy.Parse([]byte(a.identity), "identity")
	return &policy.FoundCaller{Caller: who, Identity: []policy.NamedPolicy{{Name: "P", Document: d}}}, a.unread, err
}

func (a *account) Role(_ context.Context, arn string) (*policy.FoundRole, error) {
	text, ok := a.trust[arn]
	switch {
	case a.trust == nil:
		return nil, errRefused
	case !ok:
		return nil, absent{errRefused}
	}
	d, err := policy.Parse([]byte(text), "trust")
	return &policy.FoundRole{ARN: arn, Trust: d, MaxSessionDuration: 3600}, err
}

func (a *account) Managed(_ context.Context, arn string) (*policy.Document, error) {
	if text := a.managed[arn]; text != "" {
		return policy.Parse([]byte(text), "managed")
	}
	return nil, errRefused
}

func (a *account) Organization(context.Context) (*policy.Organization, error) {
	if a.organization == nil && !a.none {
		return nil, errRefused
	}
	return a.organization, nil
}

func (a *account) SCPs(context.Context, string) ([]policy.Level, error) { return levelOf(a.scps) }
func (a *account) RCPs(context.Context, string) ([]policy.Level, error) { return levelOf(a.rcps) }

func levelOf(text string) ([]policy.Level, error) {
	if text == "" {
		return nil, errRefused
	}
	d, err := policy.Parse([]byte(text), "level")
	return []policy.Level{{Name: "root", Policies: []policy.NamedPolicy{{Name: "L", Document: d}}}}, err
}

func TestLive(t *testing.T) {
	org := &policy.Organization{ID: "o-1", ManagementAccount: "999999999999"}
	open := map[string]string{farRole: letsIn(home), hopRole: letsIn(alice)}
	for _, tt := range []struct {
		name, profile string
		home          []*account
		far           []*account
		want          policy.Decision
		says          string // in the text
	}{
		{"both sides allow", "one", []*account{{identity: mayAll, none: true}}, []*account{{trust: open, none: true}}, policy.DecisionAllow, "ALLOWED"},
		{"nobody may read the role", "one", []*account{{identity: mayAll, none: true}}, nil, DecisionUnknown, "no credentials for that account"},
		{"it may not be read", "one", []*account{{identity: mayAll, none: true}}, []*account{{none: true}}, DecisionUnknown, "--account FILE for each account"},
		{"the second who is asked may", "one", []*account{{identity: mayAll, none: true}}, []*account{{none: true}, {trust: open, none: true}}, policy.DecisionAllow, ""},
		{"no such role", "one", []*account{{identity: mayAll, none: true}}, []*account{{trust: map[string]string{}, none: true}}, policy.DecisionDeny, "there is no role " + farRole},
		{"the caller may not be read", "one", []*account{{none: true}}, []*account{{trust: open, none: true}}, DecisionUnknown, "the policies of " + alice + ": AccessDenied"},
		{"some of the caller may not be read", "one", []*account{{identity: mayAll, unread: []string{"group G"}, none: true}}, []*account{{trust: open, none: true}}, DecisionUnknown, "unknown: group G"},
		{"a Deny stands", "one", []*account{{identity: mayNot}}, nil, policy.DecisionDeny, "explicitly denies"},
		{"SCPs may not be read", "one", []*account{{identity: mayAll, organization: org}}, []*account{{trust: open, none: true}}, DecisionUnknown, "the SCPs of account " + home},
		{"an SCP level that does not allow", "one", []*account{{identity: mayAll, organization: org, scps: onlyEC2, rcps: allowAll}}, []*account{{trust: open}}, policy.DecisionDeny, "attach this as an SCP"},
		{"an RCP denies", "one", []*account{{identity: mayAll, organization: org, scps: mayAll, rcps: denyAll}}, []*account{{trust: open}}, policy.DecisionDeny, "explicitly denies"},
		{"RCPs may not be read", "one", []*account{{identity: mayAll, none: true}}, []*account{{trust: open}}, DecisionUnknown, "the RCPs of account 222222222222"},
		{
			"the session policy of the hop before narrows", "two",
			[]*account{{identity: mayAll, trust: open, none: true, managed: map[string]string{"arn:aws:iam::" + home + ":policy/Narrow": onlyEC2}}},
			[]*account{{trust: open, none: true}},
			policy.DecisionDeny, "session policy",
		},
		{"a session policy that may not be read", "two", []*account{{identity: mayAll, trust: open, none: true}}, []*account{{trust: open, none: true}}, DecisionUnknown, "policy/Narrow"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			live := &Live{Caller: assume.Identity{Account: home, ARN: alice}}
			for _, r := range tt.home {
				live.AddReader(home, r)
			}
			for _, r := range tt.far {
				live.AddReader(far, r)
			}
			report, err := chainOf(t, tt.profile).Report(t.Context(), Known{Now: time.Now(), Live: live})
			if err != nil {
				t.Fatal(err)
			}
			var text bytes.Buffer
			if err := report.Text(&text, bare{}, true); err != nil {
				t.Fatal(err)
			}
			if report.Decision != tt.want || !strings.Contains(text.String(), tt.says) {
				t.Errorf("%s, want %s and %q:\n%s", report.Decision, tt.want, tt.says, text.String())
			}
		})
	}
}

// bare leaves words as they are.
type bare struct{}

func (bare) Good(text string) string  { return text }
func (bare) Bad(text string) string   { return text }
func (bare) Doubt(text string) string { return text }
func (bare) Head(text string) string  { return text }
func (bare) Quiet(text string) string { return text }

// assumer lets calls pass or fails them; it keeps as assume's runner does.
type assumer struct {
	keep  Keep
	calls []string
	fails func(c assume.Call) error
}

func (a *assumer) Provider(plan assume.Plan) (assume.Provider, error) {
	p := assume.Provider(assume.ProviderFunc(func(context.Context) (assume.Session, error) { return assume.Session{AccessKeyID: "source"}, nil }))
	for i, c := range plan.Calls {
		key := assume.Fingerprint{byte(i), byte(len(c.ExternalID))}
		p = a.keep(p, assume.Step{Key: key, RoleARN: c.Role.String(), Exchange: func(context.Context, assume.Session) (assume.Session, error) {
			a.calls = append(a.calls, c.Role.Name+" "+c.ExternalID+" "+c.Duration.String())
			return assume.Session{AccessKeyID: c.Role.Name}, a.fails(c)
		}})
	}
	return p, nil
}

func TestTry(t *testing.T) {
	denied, down := &assume.DeniedError{Action: "sts:AssumeRole", Caller: alice, RoleARN: farRole}, errors.New("no network")
	yes, no := true, false
	for _, tt := range []struct {
		name, profile string
		fails         func(c assume.Call) error
		want          policy.Decision
		enforced      *bool
		calls         string
		failed        bool
	}{
		{"enforced", "one", func(c assume.Call) error { return ifTrue(c.ExternalID == "", denied) }, policy.DecisionAllow, &yes, "Far x1 15m0s,Far  15m0s", false},
		{"not enforced", "one", func(assume.Call) error { return nil }, policy.DecisionAllow, &no, "Far x1 15m0s,Far  15m0s", false},
		{"refused", "one", func(assume.Call) error { return denied }, policy.DecisionDeny, nil, "Far x1 15m0s", false},
		{"the second try fails", "one", func(c assume.Call) error { return ifTrue(c.ExternalID == "", down) }, policy.DecisionAllow, nil, "Far x1 15m0s,Far  15m0s", false},
		{"the network is down", "one", func(assume.Call) error { return down }, "", nil, "Far x1 15m0s", true},
		{"each hop once", "two", func(assume.Call) error { return nil }, policy.DecisionAllow, &no, "Hop  15m0s,Far  15m0s", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := &assumer{fails: tt.fails}
			start := func(keep Keep) (Assumer, error) { a.keep = keep; return a, nil }
			report, err := chainOf(t, tt.profile).Report(t.Context(), Known{
				Now: time.Now(), Live: &Live{Caller: assume.Identity{Account: home, ARN: alice}}, Try: start,
			})
			if calls := strings.Join(a.calls, ","); calls != tt.calls {
				t.Errorf("calls %q, want %q", calls, tt.calls)
			}
			if tt.failed || err != nil {
				if !tt.failed || !errors.Is(err, down) {
					t.Errorf("error %v", err)
				}
				return
			}
			got := report.Hops[len(report.Hops)-1].Tried
			if report.Decision != tt.want || (got.ExternalIDEnforced == nil) != (tt.enforced == nil) || tt.enforced != nil && *got.ExternalIDEnforced != *tt.enforced {
				t.Errorf("%s, %+v", report.Decision, got)
			}
		})
	}
}

func ifTrue(b bool, err error) error {
	if b {
		return err
	}
	return nil
}

func TestUnderstand(t *testing.T) {
	e := chainOf(t, "lost")
	if e.Callable() || e.Fault() == nil || len(e.problems) != 2 {
		t.Errorf("callable %v, problems %+v", e.Callable(), e.problems)
	}
	e = chainOf(t, "one")
	if !e.Callable() || e.Fault() != nil || len(e.Plan().Calls) != 1 {
		t.Errorf("%+v", e)
	}
	role, spec, ok := e.LastCall(Known{Caller: policy.Caller{ARN: alice}})
	if !ok || role != farRole || spec.ExternalID != "x1" || len(spec.Callers) != 1 || spec.Callers[0] != alice {
		t.Errorf("%s %+v %v", role, spec, ok)
	}
	if _, _, ok := chainOf(t, "me").LastCall(Known{}); ok {
		t.Error("a profile that assumes no role has a last call")
	}
}
