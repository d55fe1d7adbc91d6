// Command testcount reads what `go test -json` writes, shows what `go test` would have shown, and ends with a line that
// says how many tests passed, failed and were skipped (subtests count too). It fails if one failed or none ran. With
// TEST_COUNTS it appends the three numbers to that file, from which .ci/run makes its last line.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	c, err := count(os.Stdin, os.Stdout)
	if err == nil {
		fmt.Println(c)
		err = c.save(os.Getenv("TEST_COUNTS"))
	}
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "testcount:", err)
		os.Exit(1)
	case c.failed > 0, c.passed == 0:
		os.Exit(1)
	}
}

type counts struct{ passed, failed, skipped int }

func (c counts) String() string {
	return fmt.Sprintf("crossrole: %d passed, %d failed, %d skipped", c.passed, c.failed, c.skipped)
}

// save appends the numbers to a file; "" is none.
func (c counts) save(path string) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err = fmt.Fprintln(f, c.passed, c.failed, c.skipped); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

// event is a line of `go test -json`: see `go doc test2json`.
type event struct{ Action, Package, Test, Output string }

// counting holds what is not decided yet: what each running test said, and which packages a test of theirs failed.
type counting struct {
	counts
	said   map[[2]string]*strings.Builder
	blamed map[string]bool
	out    io.Writer
}

func count(in io.Reader, out io.Writer) (counts, error) {
	c := counting{said: map[[2]string]*strings.Builder{}, blamed: map[string]bool{}, out: out}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil || e.Action == "" {
				_, _ = io.WriteString(out, line) // go's own words, which are not of a test
			} else {
				c.take(e)
			}
		}
		if err == io.EOF {
			return c.counts, nil
		}
		if err != nil {
			return c.counts, err
		}
	}
}

func (c *counting) take(e event) {
	key := [2]string{e.Package, e.Test}
	switch {
	case e.Action == "output" && e.Test != "":
		if c.said[key] == nil {
			c.said[key] = &strings.Builder{}
		}
		c.said[key].WriteString(e.Output)
	case e.Action == "output" && e.Output == "PASS\n": // the line after it says so, too
	case e.Action == "output", e.Action == "build-output":
		_, _ = io.WriteString(c.out, e.Output)
	case e.Test != "":
		c.ended(e, key)
	case e.Action == "fail" && !c.blamed[e.Package]:
		c.failed++ // it did not build, or ended in the middle: what its tests said last is all there is
		for test, text := range c.said {
			if test[0] == e.Package {
				_, _ = io.WriteString(c.out, text.String())
			}
		}
	}
}

// ended counts a test, and shows what it said if it failed.
func (c *counting) ended(e event, key [2]string) {
	switch e.Action {
	case "pass":
		c.passed++
	case "skip":
		c.skipped++
	case "fail":
		c.failed++
		c.blamed[e.Package] = true
		if text := c.said[key]; text != nil {
			_, _ = io.WriteString(c.out, text.String())
		}
	default:
		return
	}
	delete(c.said, key)
}
