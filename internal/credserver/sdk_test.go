package credserver

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
)

// sdkEnvironment leaves the SDK only what a test gives it.
func sdkEnvironment(t *testing.T) {
	t.Helper()
	for _, e := range os.Environ() {
		if name, value, _ := strings.Cut(e, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, value) // restored afterwards
			os.Unsetenv(name)
		}
	}
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
}

func TestTheGoSDKTakesTheAnswer(t *testing.T) {
	r := start(t, Config{Profiles: map[string]Provider{"team a/dev": always(time.Hour)}})
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, value string }{
		{"AWS_CONTAINER_AUTHORIZATION_TOKEN", token},
		{"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file},
	} {
		t.Run(c.name, func(t *testing.T) {
			sdkEnvironment(t)
			t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://"+r.addr+Path("team a/dev"))
			t.Setenv(c.name, c.value)
			cfg, err := config.LoadDefaultConfig(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got, err := cfg.Credentials.Retrieve(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got.AccessKeyID != "ASIAEXAMPLE" || got.SecretAccessKey != canary || got.SessionToken != canary+"-token" ||
				got.AccountID != "222222222222" || !got.CanExpire || time.Until(got.Expires) < 50*time.Minute {
				t.Errorf("account %s, expires %s", got.AccountID, got.Expires)
			}
		})
	}
}

// What a person reads when it fails is our message: the SDK passes it on.
func TestTheGoSDKShowsOurError(t *testing.T) {
	r := start(t, Config{Profiles: map[string]Provider{"dev": always(time.Hour)}})
	sdkEnvironment(t)
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://"+r.addr+"/dev")
	t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "wrong")
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = cfg.Credentials.Retrieve(t.Context())
	if err == nil || !strings.Contains(err.Error(), "InvalidAuthorizationToken") {
		t.Errorf("the SDK says: %v", err)
	}
}
