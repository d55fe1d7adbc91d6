package profile

import (
	"bytes"
	"fmt"
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

// parseSection gives the properties of one section that the pre-pass has
// read. Of a name that comes twice the last one counts.
func parseSection(entries []entry) (map[string]string, error) {
	var text bytes.Buffer
	text.WriteString("[section]\n")
	writeEntries(&text, entries)
	file, err := ini.LoadSources(iniOptions, text.Bytes())
	if err != nil {
		return nil, fmt.Errorf("reading a section: %w", err)
	}
	section, err := file.GetSection("section")
	if err != nil {
		return nil, fmt.Errorf("reading a section: %w", err)
	}
	return sectionValues(section), nil
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
