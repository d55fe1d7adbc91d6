package each

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
)

// Lines with long outputs are read as what they are, without holding the
// outputs; an escape is never cut.
func TestLongLines(t *testing.T) {
	var file bytes.Buffer
	enc := json.NewEncoder(&file)
	var want []Record
	for shift := range 14 {
		for _, unit := range []string{"\x01", "\"", "\\", "é", "a\n"} {
			r := Record{
				Profile: "p\"" + strings.Repeat("x", shift), Region: `\`, ExitCode: shift,
				Stdout: strings.Repeat("y", shift) + strings.Repeat(unit, longestString/len(unit)+1), Stderr: strings.Repeat(unit, shift*100), Error: unit,
			}
			if err := enc.Encode(r); err != nil {
				t.Fatal(err)
			}
			want = append(want, r)
		}
	}
	all := int64(file.Len())
	file.WriteString(`{"profile":"cut`)
	lines := lineReader{in: bufio.NewReaderSize(&file, 4096)}
	at := int64(0)
	for i := range want {
		line, size, err := lines.next()
		if at += size; err != nil || len(line) > 3*longestString {
			t.Fatalf("line %d: %v, %d bytes", i, err, len(line))
		}
		var got Record
		if err := json.Unmarshal(line, &got); err != nil || got.Profile != want[i].Profile || got.Region != want[i].Region || got.ExitCode != want[i].ExitCode || got.Stderr != want[i].Stderr || got.Error != want[i].Error {
			t.Fatalf("line %d: %v, %.200q", i, err, line)
		}
		if !strings.HasPrefix(want[i].Stdout, strings.TrimSuffix(got.Stdout, "\ufffd")) || len(got.Stdout) < longestString/8 {
			t.Errorf("line %d: %d bytes of stdout", i, len(got.Stdout))
		}
	}
	if _, _, err := lines.next(); at != all || !errors.Is(err, io.EOF) {
		t.Errorf("%d bytes of %d, %v", at, all, err)
	}
}
