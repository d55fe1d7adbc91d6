// Package policy reads, checks, writes and evaluates AWS IAM policy documents.
//
// The usual way through it:
//
//	doc, err := policy.Parse(data, "trust.json")      // JSON errors, with line and column
//	findings := doc.Validate(policy.Trust)            // what AWS would refuse, and what looks wrong
//	result := policy.Evaluate(&policy.Request{…})     // allow, deny or invalid, with reasons, fixes and a trace
//
// [ParseRequest] reads a whole request from one JSON object. [EvaluateAction] decides any other action. The package uses
// the standard library alone, does no I/O of its own, and keeps no state: everything may be used from many goroutines as
// long as nobody changes a document while it is evaluated.
package policy
