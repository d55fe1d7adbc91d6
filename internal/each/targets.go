package each

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"crossrole/internal/word"
)

// shardKey is what decides about a target's shard.
func (t Target) shardKey() string { return firstOf(t.Account, t.Profile) }

// Label is how a person sees a target: safe to show.
func (t Target) Label() string {
	label := word.Clean(t.Profile)
	if t.Region != "" {
		label += " " + word.Clean(t.Region)
	}
	return label
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// InRegions makes each target one in each of the regions, the regions innermost. Without regions they stay as they are.
func InRegions(list []Target, regions []string) []Target {
	if len(regions) == 0 {
		return list
	}
	out := make([]Target, 0, len(list)*len(regions))
	for _, t := range list {
		for _, region := range regions {
			t.Region = region
			out = append(out, t)
		}
	}
	return out
}

// Of gives the targets that are in the shard; list is not kept.
func (s Shard) Of(list []Target) []Target {
	return slices.DeleteFunc(list, func(t Target) bool { return !s.has(t.shardKey()) })
}

// ReadList gives add each line of a list of accounts. # begins a comment; name is the list's, for a *ConfigError about a
// line that add refuses.
func ReadList(in io.Reader, name string, add func(line string) error) error {
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
		if text == "" {
			continue
		}
		if err := add(text); err != nil {
			return &ConfigError{
				Why:    fmt.Sprintf("%s:%d: %s: %s", name, n, strconv.Quote(text), err),
				Advice: []string{"a line is an account ID of 12 digits (with --role) or a role's ARN"},
			}
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	return nil
}
