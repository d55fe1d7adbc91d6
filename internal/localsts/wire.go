package localsts

import (
	"bytes"
	"crypto/rand"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// The two query protocols that are served: the version a client asks for, and the namespace of the answer.
const (
	stsVersion   = "2011-06-15"
	stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"
	iamVersion   = "2010-05-08"
	iamNamespace = "https://iam.amazonaws.com/doc/2010-05-08/"
)

// node is one element of an answer.
type node struct {
	name string
	text string
	kids []node
}

func el(name string, kids ...node) node { return node{name: name, kids: kids} }
func tx(name, text string) node         { return node{name: name, text: text} }
func num(name string, n int) node       { return tx(name, strconv.Itoa(n)) }
func flag(name string, b bool) node     { return tx(name, strconv.FormatBool(b)) }
func date(name string, t time.Time) node {
	return tx(name, t.UTC().Format(time.RFC3339))
}

// opt is the element, or nothing when the text is empty.
func opt(name, text string) []node {
	if text == "" {
		return nil
	}
	return []node{tx(name, text)}
}

func (n node) write(b *bytes.Buffer, attr string) {
	b.WriteString("<" + n.name + attr + ">")
	if n.text != "" {
		_ = xml.EscapeText(b, []byte(n.text)) // a bytes.Buffer does not fail
	}
	for _, k := range n.kids {
		k.write(b, "")
	}
	b.WriteString("</" + n.name + ">")
}

func namespace(service string) string {
	if service == "iam" {
		return iamNamespace
	}
	return stsNamespace
}

// writeResult answers an action. A nil result is an action that returns nothing but its metadata.
func writeResult(w http.ResponseWriter, c *call, result []node) {
	resp := el(c.action + "Response")
	if result != nil {
		resp.kids = append(resp.kids, el(c.action+"Result", result...))
	}
	resp.kids = append(resp.kids, el("ResponseMetadata", tx("RequestId", c.id)))
	writeXML(w, c, http.StatusOK, resp)
}

func writeError(w http.ResponseWriter, c *call, e *apiError) {
	fault := "Sender"
	if e.Status >= 500 {
		fault = "Receiver"
	}
	writeXML(w, c, e.Status, el("ErrorResponse",
		el("Error", tx("Type", fault), tx("Code", e.Code), tx("Message", e.Message)),
		tx("RequestId", c.id)))
}

func writeXML(w http.ResponseWriter, c *call, status int, root node) {
	var b bytes.Buffer
	root.write(&b, ` xmlns="`+namespace(c.service)+`"`)
	b.WriteByte('\n')
	h := w.Header()
	h.Set("Content-Type", "text/xml")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	h.Set("Date", c.now.UTC().Format(http.TimeFormat)) // clients measure their clock by it
	h.Set("X-Amzn-Requestid", c.id)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a client that went away is nobody's loss
}

// requestID is a random UUID.
func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // documented never to fail
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
