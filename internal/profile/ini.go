package profile

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"gopkg.in/ini.v1"
)

// iniOptions make ini.v1 read what the pre-pass wrote, and nothing else into
// it: no interpolation, quotes, comments, joined lines, or sections that
// inherit from others by a dot in their names.
var iniOptions = ini.LoadOptions{
	InsensitiveKeys:         true,
	AllowNestedValues:       true,
	IgnoreInlineComment:     true,
	IgnoreContinuation:      true,
	PreserveSurroundedQuote: true,
	KeyValueDelimiters:      "=",
	ChildSectionDelimiter:   "\x00",
}

// The pre-pass hides from ini.v1 what it would take for syntax. A file has
// no NUL byte (Load refuses them), so it can stand for a line's end.
const (
	keyGuard   = "k" // before a name: - is no counter, a quote no delimiter
	valueGuard = "=" // before a value: ` and """ are no delimiters
	lineGuard  = "\x00"
)

// batchSize is how many sections ini.v1 gets at once: its time grows with
// the square of their number.
const batchSize = 64

// parseSections gives the properties of sections that the pre-pass has read.
// Of a name that comes twice the last one counts.
func parseSections(sections [][]entry) ([]map[string]string, error) {
	out := make([]map[string]string, 0, len(sections))
	for len(sections) > 0 {
		n := min(batchSize, len(sections))
		parsed, err := parseBatch(sections[:n])
		if err != nil {
			return nil, err
		}
		out = append(out, parsed...)
		sections = sections[n:]
	}
	return out, nil
}

func parseBatch(sections [][]entry) ([]map[string]string, error) {
	var text bytes.Buffer
	for i, entries := range sections {
		fmt.Fprintf(&text, "[%d]\n", i)
		writeEntries(&text, entries)
	}
	file, err := ini.LoadSources(iniOptions, text.Bytes())
	if err != nil {
		return nil, fmt.Errorf("reading a section: %w", err)
	}
	out := make([]map[string]string, len(sections))
	for i := range sections {
		section, err := file.GetSection(strconv.Itoa(i))
		if err != nil {
			return nil, fmt.Errorf("reading a section: %w", err)
		}
		out[i] = sectionValues(section)
	}
	return out, nil
}

func writeEntries(text *bytes.Buffer, entries []entry) {
	for _, e := range entries {
		if !e.valid {
			continue
		}
		text.WriteString(keyGuard + e.key + "=" + valueGuard)
		text.WriteString(strings.ReplaceAll(e.value, "\n", lineGuard))
		text.WriteByte('\n')
	}
}

func sectionValues(section *ini.Section) map[string]string {
	values := make(map[string]string, len(section.Keys()))
	for _, key := range section.Keys() {
		value := strings.TrimPrefix(key.Value(), valueGuard)
		values[strings.TrimPrefix(key.Name(), keyGuard)] = strings.ReplaceAll(value, lineGuard, "\n")
	}
	return values
}
