package profile

// EditError says why a section was not written. The file is as it was.
type EditError struct {
	Path    string
	Section string
	Line    int // 1-based, 0 if it is not about a line
	Problem string
}

func (e *EditError) Error() string {
	at := printable(e.Path)
	if e.Line > 0 {
		at = Origin{File: e.Path, Line: e.Line}.quoted()
	}
	return "writing section " + quote(e.Section) + " of " + at + ": " + e.Problem
}
