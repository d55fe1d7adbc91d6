package profile

// namedHeaders finds the headers of a document by name without walking all of
// them each time: for edits of many sections.
type namedHeaders struct {
	found  map[headerName][]int
	broken map[headerName]int
}

type headerName struct {
	kind sectionKind
	name string
}

// indexNames readies find for many names.
func (d *document) indexNames() {
	n := &namedHeaders{found: map[headerName][]int{}, broken: map[headerName]int{}}
	for i, start := range d.starts {
		h := d.headerAt(start)
		at := headerName{h.kind, h.name}
		n.found[at] = append(n.found[at], i)
		if h.mistaken != kindNone {
			n.broken[headerName{h.mistaken, h.name}] = i
		}
		if h.kind == kindBroken {
			if meant, ok := meantHeader(h.text, d.kind); ok {
				n.broken[headerName{meant.kind, meant.name}] = i
			}
		}
	}
	d.named = n
}

func (n *namedHeaders) find(kind sectionKind, name string) (found []int, broken int) {
	at := headerName{kind, name}
	broken = -1
	if i, ok := n.broken[at]; ok {
		broken = i
	}
	return n.found[at], broken
}
