//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// askShow reads a resolution from what `show` says; the source is "kind profile".
func askShow(t *testing.T, q question) resolution {
	t.Helper()
	w := newWorld(t, "", "").set("AWS_CONFIG_FILE", q.Config, "AWS_SHARED_CREDENTIALS_FILE", q.Credentials)
	got := w.run(tools.crossrole, "show", q.Profile, "--format", "json")
	if got.code != 0 {
		return resolution{Error: fmt.Sprintf("exit %d: %s", got.code, got.stderr)}
	}
	var shown struct {
		Source struct{ Kind, Profile string }
		Hops   []struct {
			RoleARN     string `json:"role_arn"`
			ExternalID  string `json:"external_id"`
			MFASerial   string `json:"mfa_serial"`
			SessionName string `json:"session_name"`
			Duration    any    `json:"duration_seconds"`
		}
		Region string
	}
	if err := json.Unmarshal([]byte(got.stdout), &shown); err != nil {
		t.Errorf("show: %v in %q", err, got.stdout)
	}
	r := resolution{Source: shown.Source.Kind + " " + shown.Source.Profile, Region: shown.Region}
	for _, h := range shown.Hops {
		duration := ""
		if h.Duration != nil {
			duration = fmt.Sprint(h.Duration)
		}
		r.Calls = append(r.Calls, hop{h.RoleARN, h.ExternalID, duration, h.MFASerial, h.SessionName})
	}
	return r
}

// sourceInWords says of an access key of the generated files which source it is.
func sourceInWords(q question, want resolution) string {
	role := q.Profile
	if len(want.Calls) > 0 { // the profile that has the first role
		for _, name := range q.files.profiles {
			if strings.Contains(q.files.role[name], want.Calls[0].RoleArn) {
				role = name
			}
		}
	}
	switch want.Source {
	case "KEY-env":
		return "environment " + role
	case "SOURCE-Ec2InstanceMetadata":
		return "ec2_instance_metadata " + role
	case "SOURCE-EcsContainer":
		return "ecs_container " + role
	}
	name := strings.TrimPrefix(strings.TrimPrefix(want.Source, "KEY-conf-"), "KEY-cred-")
	for _, n := range names {
		if strings.ReplaceAll(n.name, " ", "_") == name {
			name = n.name
		}
	}
	return "static " + name
}

// TestShowTellsWhatTheAWSCLIWouldDo: the same generated files, and what `show` tells of each profile.
func TestShowTellsWhatTheAWSCLIWouldDo(t *testing.T) {
	asked := questions(t, 60)
	expected := askBotocore(t, asked)
	var agreed, stopped atomic.Int32
	t.Run("profiles", func(t *testing.T) {
		for i, q := range asked {
			want := expected[i]
			if want.Error != "" || len(want.Calls) == 0 {
				continue
			}
			t.Run(fmt.Sprintf("%s:%s", strings.TrimSuffix(filepath.Base(q.Config), ".config"), q.Profile), func(t *testing.T) {
				t.Parallel()
				shown := askShow(t, q)
				if strings.HasPrefix(shown.Error, "exit 3") {
					stopped.Add(1)
					return
				}
				agreed.Add(1)
				same := shown.Error == "" && len(shown.Calls) == len(want.Calls) && (want.Region == "" || shown.Region == want.Region) &&
					shown.Source == sourceInWords(q, want)
				for i := range shown.Calls {
					if same && want.Calls[i].SessionName == "" {
						shown.Calls[i].SessionName = ""
					}
					same = same && shown.Calls[i] == want.Calls[i]
				}
				if !same {
					t.Errorf("the AWS CLI: %+v from %s\nshow: %+v\n%s\n--- credentials\n%s", want, sourceInWords(q, want), shown, q.files.config, q.files.credentials)
				}
			})
		}
	})
	if agreed.Load() < 40 || stopped.Load()*10 > agreed.Load() {
		t.Errorf("too few answers to mean anything: %d the same, %d stopped", agreed.Load(), stopped.Load())
	}
}
