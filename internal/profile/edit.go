package profile

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"

	"crossrole/internal/disk"
)

// maxRedo is how often somebody else may replace the file meanwhile.
const maxRedo = 5

// EditError says why a section was not written: of that section, the file is as
// it was.
type EditError struct {
	Path    string
	Section string // empty: none of many was
	Line    int    // 1-based, 0 if it is not about a line
	Err     error
}

func (e *EditError) Error() string {
	at := printable(e.Path)
	if e.Line > 0 {
		at = Origin{File: e.Path, Line: e.Line}.quoted()
	}
	if e.Section == "" {
		return "writing " + at + ": " + e.Err.Error()
	}
	return "writing section " + quote(e.Section) + " of " + at + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *EditError) Unwrap() error { return e.Err }

// Refused tells an edit that would never work (a hostile name or value, a
// section that is there twice) from trouble with the disk.
func (e *EditError) Refused() bool {
	_, line := errors.AsType[*lineError](e.Err)
	return line || errors.Is(e.Err, errUnsafe)
}

// Section is what a section holds before an edit.
type Section struct {
	Exists     bool
	Properties map[string]Value // lower-cased key to value
}

// EditOptions say how EditSection works.
type EditOptions struct {
	// Config says that the file is a config file, whose sections have
	// prefixes: "profile NAME". Otherwise it is a credentials file.
	Config bool
	// DryRun computes the result and writes nothing.
	DryRun bool
}

// EditResult is a file before and after.
type EditResult struct {
	Path          string // the file written: the target of any links
	Before, After []byte
	Changed       bool
}

// EditSection changes one section of a shared file, or adds it at the end.
// decide gets what is there now, under the lock, and says what to change; its
// error is returned as it is. The file is replaced atomically by one in the
// same folder, so a process killed at any instant leaves the old or the new
// one. A new file, and a new folder, are for the owner alone; an old file
// keeps its mode. Other errors are *FileError and *EditError.
func EditSection(ctx context.Context, path, name string, decide func(Section) (Edit, error), opts EditOptions) (EditResult, error) {
	result, errs, err := EditSections(ctx, path, []SectionEdit{{name, decide}}, opts)
	if err == nil && errs[0] != nil {
		return EditResult{}, errs[0]
	}
	return result, err
}

// SectionEdit is one section to change, and who decides how.
type SectionEdit struct {
	Name   string
	Decide func(Section) (Edit, error)
}

// EditSections changes many sections as EditSection does one, and replaces the
// file once. refused says for each section why it was left as it was, or nil:
// one that is refused does not keep the others from being written. err is about
// the file, of which nothing is changed then. No name may be there twice.
func EditSections(ctx context.Context, path string, list []SectionEdit, opts EditOptions) (result EditResult, refused []error, err error) {
	ed := editor{path: path, list: list, dryRun: opts.DryRun, kind: credentialsFile}
	if opts.Config {
		ed.kind = configFile
	}
	if ed.target, err = disk.FollowLinks(path); err != nil {
		return EditResult{}, nil, ed.fail(err)
	}
	if opts.DryRun {
		return ed.once()
	}
	if err := os.MkdirAll(filepath.Dir(ed.target), 0o700); err != nil {
		return EditResult{}, nil, ed.fail(disk.Bare(err))
	}
	unlock, err := disk.LockFolder(ctx, ed.target)
	if err != nil {
		return EditResult{}, nil, ed.fail(err)
	}
	defer unlock()
	for range maxRedo {
		result, refused, err := ed.once()
		if !errors.Is(err, disk.ErrChanged) {
			return result, refused, err
		}
	}
	return EditResult{}, nil, ed.fail(disk.ErrChanged)
}

type editor struct {
	path, target string
	kind         fileKind
	list         []SectionEdit
	dryRun       bool
}

// fail is an error about the file, which is that of the only section.
func (ed *editor) fail(err error) error {
	if len(ed.list) == 1 {
		return ed.failSection(ed.list[0].Name, err)
	}
	return ed.failSection("", err)
}

func (ed *editor) failSection(name string, err error) error {
	out := &EditError{Path: ed.path, Section: name, Err: err}
	if at, ok := errors.AsType[*lineError](err); ok {
		out.Line = at.line
	}
	return out
}

func (ed *editor) once() (EditResult, []error, error) {
	data, id, err := readFile(ed.target)
	if err != nil {
		return EditResult{}, nil, err
	}
	after, refused := ed.edit(data)
	result := EditResult{Path: ed.target, Before: data, After: after, Changed: !id.Exists || !bytes.Equal(data, after)}
	if allOf(refused) || ed.dryRun || !result.Changed {
		return result, refused, nil
	}
	err = disk.Replace(ed.target, id, bytes.NewReader(after))
	switch {
	case errors.Is(err, disk.ErrChanged):
		return EditResult{}, nil, err
	case err != nil:
		return EditResult{}, nil, ed.fail(disk.Bare(err))
	}
	return result, refused, nil
}

func allOf(refused []error) bool {
	for _, err := range refused {
		if err == nil {
			return false
		}
	}
	return true
}

// edit makes the new text of all sections that can be written.
func (ed *editor) edit(data []byte) (after []byte, refused []error) {
	refused = make([]error, len(ed.list))
	d := newDocument(ed.path, ed.kind, data)
	if len(ed.list) > manySections {
		d.indexNames()
	}
	var edits []sectionEdit
	var at []int // in the list
	for i, s := range ed.list {
		current, err := d.existing(s.Name)
		if err != nil {
			refused[i] = ed.failSection(s.Name, err)
			continue
		}
		edit, err := s.Decide(current)
		if err != nil {
			refused[i] = err
			continue
		}
		edits, at = append(edits, sectionEdit{s.Name, edit}), append(at, i)
	}
	after, errs := editTexts(data, ed.kind, edits)
	for i, err := range errs {
		if err != nil {
			refused[at[i]] = ed.failSection(edits[i].section, err)
		}
	}
	return after, refused
}

// existing reads the section as it stands.
func (d *document) existing(name string) (Section, error) {
	want, err := checkEdit(d.kind, name, Edit{})
	if err != nil {
		return Section{}, err
	}
	number, err := d.editable(want)
	if err != nil || number < 0 {
		return Section{Properties: map[string]Value{}}, err
	}
	sec := d.read(number, d.headLine(number))
	if sec.err != nil {
		at, _ := errors.AsType[*SyntaxError](sec.err)
		return Section{}, &lineError{at.Origin.Line, at.Problem}
	}
	if sec.values, err = parseSection(sec.entries); err != nil {
		return Section{}, err
	}
	return Section{Exists: true, Properties: layer([]*section{sec}).values}, nil
}
