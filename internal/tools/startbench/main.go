// Command startbench measures whole processes: what a start of crossrole costs beside a static hello-world and, where
// there is one, the AWS CLI. It builds both programs as a release is built, serves a local STS, and prints the tables of
// docs/performance.md. Runs of all candidates alternate, so that a noisy machine is noisy for all of them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"crossrole/internal/localsts"
)

func main() {
	rounds := flag.Int("rounds", 100, "how often each candidate is run")
	cold := flag.Int("cold", 15, "how often each cold candidate is run")
	gate := flag.Bool("gate", false, "fail when a promise of the warm path is not kept")
	flag.Parse()
	if flag.Arg(0) == "peak" {
		peak(flag.Args()[1:])
		return
	}
	if err := measure(os.Stdout, *rounds, *cold, *gate); err != nil {
		fmt.Fprintln(os.Stderr, "startbench:", err)
		os.Exit(1)
	}
}

// The promises: see docs/performance.md.
const (
	maxRatio        = 2.2
	maxInstructions = 3_600_000
	maxPeak         = 16 << 20
)

const helloSource = `package main

import "os"

func main() { os.Stdout.WriteString("hello\n") }
`

// candidate is one command line that is measured.
type candidate struct {
	name  string
	env   []string
	args  []string
	clean string // a folder to remove before each run: what makes it cold
	times []time.Duration
}

func (c *candidate) command() *exec.Cmd {
	cmd := exec.Command(c.args[0], c.args[1:]...)
	cmd.Env = c.env
	return cmd
}

func (c *candidate) run() error {
	if c.clean != "" {
		if err := os.RemoveAll(c.clean); err != nil {
			return err
		}
	}
	cmd := c.command()
	var errs strings.Builder
	cmd.Stderr = &errs
	began := time.Now()
	err := cmd.Run()
	c.times = append(c.times, time.Since(began))
	if err != nil {
		return fmt.Errorf("%s: %w: %s", c.name, err, errs.String())
	}
	return nil
}

func (c *candidate) median() time.Duration {
	slices.Sort(c.times)
	return c.times[len(c.times)/2]
}

// bench is a folder with everything in it.
type bench struct {
	dir, hello, program string
	sts                 *localsts.Running
}

func measure(w io.Writer, rounds, coldRounds int, gate bool) error {
	dir, err := os.MkdirTemp("", "startbench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b := &bench{dir: dir}
	if err := b.build(); err != nil {
		return err
	}
	if err := b.serve(); err != nil {
		return err
	}
	defer func() { _ = b.sts.Close() }()
	hello := &candidate{name: "hello-world, static Go", args: []string{b.hello}}
	warm, err := b.warm()
	if err != nil {
		return err
	}
	all := append([]*candidate{hello}, warm...)
	for range rounds {
		for _, c := range all {
			if err := c.run(); err != nil {
				return err
			}
		}
	}
	kept, err := b.printWarm(w, hello, all)
	if err != nil {
		return err
	}
	if err := b.printCold(w, coldRounds); err != nil {
		return err
	}
	if gate && !kept {
		return errors.New("a promise of the warm path is not kept")
	}
	return nil
}

func (b *bench) build() error {
	b.hello, b.program = filepath.Join(b.dir, "hello"), filepath.Join(b.dir, "crossrole")
	source := filepath.Join(b.dir, "hello.go")
	if err := os.WriteFile(source, []byte(helloSource), 0o600); err != nil {
		return err
	}
	for _, what := range [][2]string{{b.hello, source}, {b.program, "crossrole/cmd/crossrole"}} {
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", what[0], what[1])
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w: %s", what[1], err, out)
		}
	}
	return nil
}

func (b *bench) serve() error {
	world, err := localsts.NewWorld(localsts.Example()...)
	if err != nil {
		return err
	}
	server, err := localsts.New(world, localsts.Options{})
	if err != nil {
		return err
	}
	b.sts, err = localsts.Start(context.Background(), "127.0.0.1:0", server, false)
	return err
}

// home writes the files of n profiles, of which the last is a role of another account.
func (b *bench) home(n int) (dir string, env []string, err error) {
	dir = filepath.Join(b.dir, strconv.Itoa(n))
	if err := os.MkdirAll(filepath.Join(dir, ".aws"), 0o700); err != nil {
		return "", nil, err
	}
	var config strings.Builder
	for i := range n - 1 {
		fmt.Fprintf(&config, "[profile p%d]\nrole_arn = arn:aws:iam::%012d:role/r\nsource_profile = user\nregion = eu-west-1\n\n", i, i)
	}
	config.WriteString("[profile prod]\nrole_arn = arn:aws:iam::222222222222:role/Open\nsource_profile = user\nregion = eu-west-1\n")
	credentials := "[user]\naws_access_key_id = " + localsts.ExampleKeyID + "\naws_secret_access_key = " + localsts.ExampleSecret + "\n"
	for name, text := range map[string]string{"config": config.String(), "credentials": credentials} {
		if err := os.WriteFile(filepath.Join(dir, ".aws", name), []byte(text), 0o600); err != nil {
			return "", nil, err
		}
	}
	return dir, []string{
		"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "AWS_ENDPOINT_URL_STS=" + b.sts.URL, "AWS_ENDPOINT_URL=" + b.sts.URL,
		"CROSSROLE_CACHE_DIR=" + filepath.Join(dir, "cache"), "AWS_EC2_METADATA_DISABLED=true",
	}, nil
}

var sizes = []int{10, 1_000, 10_000}

func (b *bench) warm() (all []*candidate, err error) {
	for _, n := range sizes {
		_, env, err := b.home(n)
		if err != nil {
			return nil, err
		}
		all = append(all, &candidate{
			name: fmt.Sprintf("warm, %d profiles", n), env: env, args: []string{b.program, "assume", "prod", "--format", "process"},
		})
	}
	time.Sleep(50 * time.Millisecond) // a file as young as the clock's grain is not relied on
	for _, c := range all {
		for range 2 {
			if err := c.run(); err != nil {
				return nil, err
			}
		}
		c.times = nil
	}
	return all, nil
}

// printWarm prints what the gate is about, and says whether every promise was kept.
func (b *bench) printWarm(w io.Writer, hello *candidate, all []*candidate) (kept bool, err error) {
	kept = true
	fmt.Fprintf(w, "| process | median | ÷ hello | million instructions | peak memory |\n|---|---|---|---|---|\n")
	for _, c := range all {
		ratio := float64(c.median()) / float64(hello.median())
		instructions := b.instructions(c)
		bytes, err := b.peakOf(c)
		if err != nil {
			return false, err
		}
		fmt.Fprintf(w, "| %s | %.2f ms | %.2f | %s | %.1f MiB |\n", c.name, ms(c.median()), ratio, million(instructions), float64(bytes)/(1<<20))
		kept = kept && ratio <= maxRatio && instructions <= maxInstructions && bytes <= maxPeak
	}
	return kept, nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func million(n int) string {
	if n == 0 {
		return "(no valgrind)"
	}
	return fmt.Sprintf("%.2f", float64(n)/1e6)
}

var collected = regexp.MustCompile(`Collected : (\d+)`)

// instructions counts with callgrind; zero means that it is not installed.
func (b *bench) instructions(c *candidate) int {
	args := append([]string{"--tool=callgrind", "--callgrind-out-file=/dev/null"}, c.args...)
	cmd := exec.Command("valgrind", args...)
	cmd.Env = append(slices.Clone(c.env), "GODEBUG=asyncpreemptoff=1") // callgrind does not survive Go's preemption signal
	out, err := cmd.CombinedOutput()
	m := collected.FindSubmatch(out)
	if err != nil || m == nil {
		return 0
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n
}

func (b *bench) peakOf(c *candidate) (bytes int, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(self, append([]string{"peak"}, c.args...)...)
	cmd.Env = c.env
	out, err := cmd.Output()
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(out)))
}

func (b *bench) printCold(w io.Writer, rounds int) error {
	var all []*candidate
	for _, n := range sizes {
		dir, env, err := b.home(n)
		if err != nil {
			return err
		}
		all = append(all, &candidate{
			name: fmt.Sprintf("cold, %d profiles", n), env: env, args: []string{b.program, "assume", "prod", "--format", "process"},
			clean: filepath.Join(dir, "cache"),
		})
		if aws, err := exec.LookPath("aws"); err == nil && n == sizes[0] {
			all = append(all, &candidate{name: "`aws sts assume-role`", env: env, args: []string{
				aws, "sts", "assume-role", "--profile", "user", "--region", "eu-west-1",
				"--role-arn", "arn:aws:iam::222222222222:role/Open", "--role-session-name", "bench",
			}})
		}
		if n == sizes[len(sizes)-1] {
			all = append(all,
				&candidate{name: fmt.Sprintf("`crossrole list`, %d profiles", n), env: env, args: []string{b.program, "list"}},
				&candidate{name: fmt.Sprintf("completion of a name, %d profiles", n), env: env, args: []string{b.program, "__complete", "assume", "p99"}})
		}
	}
	for range rounds {
		for _, c := range all {
			if err := c.run(); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(w, "\n| process, local STS | median |\n|---|---|\n")
	for _, c := range all {
		fmt.Fprintf(w, "| %s | %.1f ms |\n", c.name, ms(c.median()))
	}
	return nil
}
