package policy

import (
	"bytes"
	"encoding/json"
)

// MarshalJSON writes the document compactly in AWS's usual order of elements; a list of one value is written as the value.
// The same document always gives the same bytes.
func (d *Document) MarshalJSON() ([]byte, error) {
	w := &jsonWriter{}
	w.open('{')
	if d.Version != "" {
		w.pair("Version", d.Version)
	}
	if d.ID != "" {
		w.pair("Id", d.ID)
	}
	w.key("Statement")
	w.open('[')
	for i := range d.Statements {
		w.comma()
		w.statement(&d.Statements[i])
	}
	w.close(']')
	w.close('}')
	return w.buf.Bytes(), nil
}

// Indented is the document for people: four blanks an indent, a newline at the end.
func (d *Document) Indented() string {
	raw, err := d.MarshalJSON()
	if err != nil {
		return ""
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "    "); err != nil {
		return ""
	}
	b.WriteByte('\n')
	return b.String()
}

// jsonWriter writes JSON in the order it is told, without escaping < > & as encoding/json does by default.
type jsonWriter struct {
	buf  bytes.Buffer
	some []bool // per open bracket: whether something stands in it
}

func (w *jsonWriter) open(c byte) {
	w.buf.WriteByte(c)
	w.some = append(w.some, false)
}

func (w *jsonWriter) close(c byte) {
	w.buf.WriteByte(c)
	w.some = w.some[:len(w.some)-1]
}

func (w *jsonWriter) comma() {
	if top := len(w.some) - 1; w.some[top] {
		w.buf.WriteByte(',')
	} else {
		w.some[top] = true
	}
}

func (w *jsonWriter) key(k string) {
	w.comma()
	w.text(k)
	w.buf.WriteByte(':')
}

func (w *jsonWriter) pair(k, v string) {
	w.key(k)
	w.text(v)
}

func (w *jsonWriter) text(s string) {
	enc := json.NewEncoder(&w.buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err == nil {
		w.buf.Truncate(w.buf.Len() - 1) // the newline that Encode adds
	}
}

func (w *jsonWriter) texts(list []Value) {
	if len(list) == 1 {
		w.text(list[0].Text)
		return
	}
	w.open('[')
	for _, v := range list {
		w.comma()
		w.text(v.Text)
	}
	w.close(']')
}

func (w *jsonWriter) statement(s *Statement) {
	w.open('{')
	if s.Sid != "" {
		w.pair("Sid", s.Sid)
	}
	w.pair("Effect", s.Effect)
	w.principals("Principal", s.Principal)
	w.principals("NotPrincipal", s.NotPrincipal)
	for _, e := range []struct {
		name string
		list *Values
	}{{"Action", s.Action}, {"NotAction", s.NotAction}, {"Resource", s.Resource}, {"NotResource", s.NotResource}} {
		if e.list != nil {
			w.key(e.name)
			w.texts(e.list.List)
		}
	}
	w.conditions(s.Conditions)
	w.close('}')
}

// principals groups the entries by type, in the order in which the types first appear.
func (w *jsonWriter) principals(name string, p *Principals) {
	if p == nil {
		return
	}
	w.key(name)
	if p.Star {
		w.text("*")
		return
	}
	w.open('{')
	done := map[string]bool{}
	for _, e := range p.Entries {
		if done[e.Type] {
			continue
		}
		done[e.Type] = true
		var list []Value
		for _, other := range p.Entries {
			if other.Type == e.Type {
				list = append(list, other.Value)
			}
		}
		w.key(e.Type)
		w.texts(list)
	}
	w.close('}')
}

// conditions groups the keys by operator, in the order in which the operators first appear.
func (w *jsonWriter) conditions(list []Condition) {
	if len(list) == 0 {
		return
	}
	w.key("Condition")
	w.open('{')
	done := map[string]bool{}
	for _, c := range list {
		if done[c.Operator] {
			continue
		}
		done[c.Operator] = true
		w.key(c.Operator)
		w.open('{')
		for _, other := range list {
			if other.Operator == c.Operator {
				w.key(other.Key)
				w.texts(other.Values)
			}
		}
		w.close('}')
	}
	w.close('}')
}
