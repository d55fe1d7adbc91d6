// Command eachbench measures crossrole each against a local STS that answers in 50 ms: wall time against the ideal of
// accounts × answer time ÷ parallel, connections, peak memory, and CPU per account beside the SDK's bare signed call in
// the same run; and what it holds of commands that print much. It prints the tables of docs/performance.md. The server runs in this process, so that the CPU and memory
// of crossrole, a process of its own, are its alone.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"crossrole/internal/localsts"
)

const (
	answerTime = 50 * time.Millisecond
	parallel   = 64
)

func main() {
	sizes := flag.String("accounts", "1000,5000", "how many accounts, a list")
	loop := flag.Int("loop", 20, "accounts of the shell loop over aws sts assume-role; 0 leaves it out")
	loud := flag.Int("loud", 1000, "accounts whose commands print 100 KB each; 0 leaves it out")
	flag.Parse()
	var err error
	switch flag.Arg(0) {
	case "bare":
		err = bare(flag.Args()[1:])
	case "measured":
		err = measured(flag.Args()[1:])
	case "loop":
		err = shellLoop(flag.Args()[1:])
	default:
		err = compareAll(*sizes, *loop, *loud)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "eachbench:", err)
		os.Exit(1)
	}
}

// bench is a folder with the program, and the server.
type bench struct {
	dir, self, program string
	url                string
	listener           net.Listener
	opened             atomic.Int64
}

func compareAll(sizes string, loop, loud int) error {
	dir, err := os.MkdirTemp("", "eachbench")
	if err != nil {
		return err
	}
	defer removeAll(dir)
	b := &bench{dir: dir, program: filepath.Join(dir, "crossrole")}
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.program, "crossrole/cmd/crossrole")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building crossrole: %w: %s", err, out)
	}
	fmt.Println("| run | accounts | wall | ÷ ideal | connections | peak memory | CPU per account | ÷ bare |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	for _, text := range strings.Split(sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		if err := b.compare(n, loop); err != nil {
			return err
		}
		loop = 0 // once is enough
	}
	if loud == 0 {
		return nil
	}
	return b.loud(loud)
}

// loud runs commands that print much: into groups, records and a journal, which is then read again.
func (b *bench) loud(n int) error {
	env, stop, err := b.stage(n)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Print("\n| commands that print | accounts | wall | peak memory |\n|---|---|---|---|\n")
	for _, c := range []struct {
		name     string
		pattern  string
		accounts int
		bytes    int
	}{{"100 KB each", "a*", n, 100 << 10}, {"one of 50 MB", "a00000", 1, 50 << 20}} {
		text := filepath.Join(b.dir, strconv.Itoa(c.bytes))
		if err := os.WriteFile(text, []byte(strings.Repeat("0123456789 \"é\"\n", c.bytes/16)), 0o600); err != nil {
			return err
		}
		journal := text + ".journal"
		for _, mode := range []struct {
			name string
			args []string
		}{
			{"`--output grouped`", []string{c.pattern, "--", "cat", text}},
			{"`--format jsonl`", []string{c.pattern, "--format", "jsonl", "--", "cat", text}},
			{"`--resume FILE`", []string{c.pattern, "--resume", journal, "--", "cat", text}},
			{"the same again, nothing to do", []string{c.pattern, "--resume", journal, "--", "cat", text}},
		} {
			name := c.name + ", " + mode.name
			wall, _, peak, err := b.measure(name, env, b.program, append([]string{"each", "--parallel", strconv.Itoa(parallel)}, mode.args...)...)
			if err != nil {
				return err
			}
			fmt.Printf("| %s | %d | %.2f s | %.0f MB |\n", name, c.accounts, wall.Seconds(), float64(peak)/1e6)
		}
	}
	return nil
}

// stage is n accounts, and the environment to call them in.
func (b *bench) stage(n int) (env []string, stop func(), err error) {
	if env, err = b.home(n); err != nil {
		return nil, nil, err
	}
	url, stop, err := b.serve(n)
	if err != nil {
		return nil, nil, err
	}
	b.url = url
	return append(env, "AWS_ENDPOINT_URL_STS="+url), stop, nil
}

// compare runs every candidate over n accounts.
func (b *bench) compare(n, loop int) error {
	env, stop, err := b.stage(n)
	if err != nil {
		return err
	}
	defer stop()
	each := []string{b.program, "each", "a*", "--parallel", strconv.Itoa(parallel)}
	plain, err := b.run("the SDK, bare calls", n, 0, env, b.self, "bare", b.url, strconv.Itoa(n))
	if err != nil {
		return err
	}
	for _, c := range []struct {
		name string
		args []string
	}{
		{"credentials only", each[1:]},
		{"`-- true --format jsonl`", append(each[1:len(each):len(each)], "--format", "jsonl", "--", "true")},
	} {
		if _, err := b.run(c.name, n, plain, env, each[0], c.args...); err != nil {
			return err
		}
	}
	if _, err := exec.LookPath("aws"); err == nil && loop > 0 {
		if _, err := b.run("`crossrole each`", loop, plain, env, b.program, "each", "a0000*", "a0001*"); err != nil {
			return err
		}
		if _, err := b.run("a shell loop over `aws sts assume-role`", loop, plain, env, b.self, "loop", strconv.Itoa(loop)); err != nil {
			return err
		}
	}
	return nil
}

// run measures one process and prints its row. bare is the CPU per account to
// compare with; 0 is for the one that is compared with.
func (b *bench) run(name string, n int, bare time.Duration, env []string, program string, args ...string) (perAccount time.Duration, err error) {
	wall, cpu, peak, err := b.measure(name, env, program, args...)
	if err != nil {
		return 0, err
	}
	ideal := time.Duration((n+parallel-1)/parallel) * answerTime
	perAccount = cpu / time.Duration(n)
	ratio := "1"
	if bare > 0 {
		ratio = fmt.Sprintf("%.2f", float64(perAccount)/float64(bare))
	}
	fmt.Printf("| %s | %d | %.2f s | %.2f | %d | %.0f MB | %d µs | %s |\n", name, n, wall.Seconds(), float64(wall)/float64(ideal),
		b.opened.Load(), float64(peak)/1e6, perAccount.Microseconds(), ratio)
	return perAccount, nil
}

// measure runs one process.
func (b *bench) measure(name string, env []string, program string, args ...string) (wall, cpu time.Duration, peak int64, err error) {
	b.opened.Store(0)
	cmd := exec.Command(b.self, append([]string{"measured", program}, args...)...)
	cmd.Env, cmd.Dir = env, b.dir
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return 0, 0, 0, fmt.Errorf("%s: %w: %s", name, err, errs.String())
	}
	_, err = fmt.Sscan(string(out), &wall, &cpu, &peak)
	return wall, cpu, peak, err
}

// measured runs a command and prints its wall time, CPU time (its children's
// too) and peak memory. The system counts a peak from what the parent held at
// the fork: that is why this is a small process of its own.
func measured(args []string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return err
	}
	s := cmd.ProcessState
	_, err := fmt.Println(int64(time.Since(began)), int64(s.UserTime()+s.SystemTime()), peakOf(s))
	return err
}

func account(i int) string { return fmt.Sprintf("2%011d", i) }

// home writes n profiles.
func (b *bench) home(n int) (env []string, err error) {
	dir := filepath.Join(b.dir, strconv.Itoa(n))
	if err := os.MkdirAll(filepath.Join(dir, ".aws"), 0o700); err != nil {
		return nil, err
	}
	var config strings.Builder
	for i := range n {
		fmt.Fprintf(&config, "[profile a%05d]\nrole_arn = arn:aws:iam::%s:role/Audit\nsource_profile = user\nregion = eu-west-1\n\n", i, account(i))
	}
	credentials := "[user]\naws_access_key_id = " + localsts.ExampleKeyID + "\naws_secret_access_key = " + localsts.ExampleSecret + "\n"
	for name, text := range map[string]string{"config": config.String(), "credentials": credentials} {
		if err := os.WriteFile(filepath.Join(dir, ".aws", name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "CROSSROLE_CACHE=file", "CROSSROLE_CACHE_DIR=" + filepath.Join(dir, "cache"), "AWS_EC2_METADATA_DISABLED=true"}, nil
}

// serve plays n accounts, each of which lets the user in.
func (b *bench) serve(n int) (url string, stop func(), err error) {
	texts := []string{`{"AccountId":"111111111111","UserDetailList":[{"UserName":"user","UserPolicyList":[{"PolicyName":"p","PolicyDocument":
		{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}}],
		"AccessKeys":[{"AccessKeyId":"` + localsts.ExampleKeyID + `","SecretAccessKey":"` + localsts.ExampleSecret + `"}]}]}`}
	for i := range n {
		texts = append(texts, `{"AccountId":"`+account(i)+`","RoleDetailList":[{"RoleName":"Audit","AssumeRolePolicyDocument":
			{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"sts:AssumeRole"}]}}]}`)
	}
	var accounts []*localsts.Account
	for _, text := range texts {
		a, err := localsts.LoadAccount(strings.NewReader(text), "")
		if err != nil {
			return "", nil, err
		}
		accounts = append(accounts, a)
	}
	world, err := localsts.NewWorld(accounts...)
	if err != nil {
		return "", nil, err
	}
	server, err := localsts.New(world, localsts.Options{Hook: localsts.Latency(answerTime)})
	if err != nil {
		return "", nil, err
	}
	if b.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return "", nil, err
	}
	srv := &http.Server{Handler: server, ReadHeaderTimeout: time.Minute, ConnState: func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			b.opened.Add(1)
		}
	}}
	go func() { _ = srv.Serve(b.listener) }()
	return "http://" + b.listener.Addr().String(), func() { _ = srv.Close() }, nil
}

// bare is the least that many calls can cost: the SDK's own client, pooled.
func bare(args []string) error {
	url := args[0]
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	client := sts.New(sts.Options{
		Region: "eu-west-1", BaseEndpoint: &url,
		Credentials: credentials.NewStaticCredentialsProvider(localsts.ExampleKeyID, localsts.ExampleSecret, ""),
		HTTPClient:  awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.MaxIdleConnsPerHost, t.MaxConnsPerHost = parallel, parallel }),
	})
	next := make(chan int)
	var failed atomic.Value
	var workers sync.WaitGroup
	for range parallel {
		workers.Go(func() {
			for i := range next {
				_, err := client.AssumeRole(context.Background(), &sts.AssumeRoleInput{
					RoleArn: aws.String("arn:aws:iam::" + account(i) + ":role/Audit"), RoleSessionName: aws.String("bench"),
				})
				if err != nil {
					failed.Store(err)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	workers.Wait()
	if err, ok := failed.Load().(error); ok {
		return err
	}
	return nil
}

// shellLoop is what people write today.
func shellLoop(args []string) error {
	cmd := exec.Command("sh", "-c", `i=0; while test $i -lt "$0"; do
		id=$(printf '2%011d' $i); i=$((i + 1))
		aws sts assume-role --profile user --region eu-west-1 --role-arn "arn:aws:iam::$id:role/Audit" --role-session-name loop || exit 1
	done`, args[0])
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// removeAll takes a folder of the benchmark away.
func removeAll(dir string) { _ = os.RemoveAll(dir) }
