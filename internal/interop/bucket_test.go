//go:build interop

package interop

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bucketServer is moto's S3 on loopback. It checks no credentials: who the caller is, is the local STS's part.
func bucketServer(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	server := exec.Command(tools.python, "-m", "moto.server", "-H", "127.0.0.1", "-p", fmt.Sprint(port))
	server.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8"}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	address := fmt.Sprintf("http://127.0.0.1:%d", port)
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if response, err := http.Get(address + "/moto-api/"); err == nil {
			_ = response.Body.Close()
			return address
		}
		if time.Now().After(end) {
			t.Fatal("moto's server does not answer")
		}
	}
}

// TestTheArticlesUpload is the story that the project starts from: a user of one account puts a file into the bucket of
// another, as that account's role. The accounts are those of examples/cross-account.
func TestTheArticlesUpload(t *testing.T) {
	example := "../../examples/cross-account"
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(example, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	endpoint, server := localSTS(t, read("111111111111.json"), read("222222222222.json"))
	config := read("aws/config") + `
[profile by-process]
credential_process = "` + tools.crossrole + `" assume Allow-AssumeRole-profile --format process
region = eu-west-1
`
	w := newWorld(t, config, read("aws/credentials")).set("AWS_ENDPOINT_URL_STS", endpoint, "AWS_ENDPOINT_URL_S3", bucketServer(t))
	w.write("cwd/test-file.txt", "from the other account\n")
	w.mustRun(tools.aws, "--profile", "by-process", "s3", "mb", "s3://test-bucket")
	for name, command := range map[string][]string{
		"the article's own command": {tools.aws, "--profile", "Allow-AssumeRole-profile", "s3", "cp", "test-file.txt", "s3://test-bucket/1"},
		"by credential_process":     {tools.aws, "--profile", "by-process", "s3", "cp", "test-file.txt", "s3://test-bucket/2"},
		"by eval":                   {"bash", "-c", `eval $(crossrole assume Allow-AssumeRole-profile); aws s3 cp test-file.txt s3://test-bucket/3`},
		"by exec":                   {tools.crossrole, "exec", "Allow-AssumeRole-profile", "--", "aws", "s3", "cp", "test-file.txt", "s3://test-bucket/4"},
	} {
		t.Run(name, func(t *testing.T) {
			w := w.in(t)
			asked := server.Count("AssumeRole")
			if got := w.mustRun(command[0], command[1:]...); !strings.Contains(got.stdout, "upload: ./test-file.txt to s3://test-bucket/") {
				t.Errorf("the AWS CLI says %q", got.stdout)
			}
			if n := server.Count("AssumeRole") - asked; n != 1 {
				t.Errorf("the role was assumed %d times, want once", n)
			}
		})
	}
	if got := w.mustRun(tools.aws, "--profile", "by-process", "s3", "ls", "s3://test-bucket/"); strings.Count(got.stdout, "\n") != 4 {
		t.Errorf("the bucket holds\n%s", got.stdout)
	}
}
