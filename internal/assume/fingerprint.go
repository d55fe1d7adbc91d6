package assume

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"slices"
	"strconv"
	"time"

	"crossrole/internal/profile"
)

// Fingerprint is the key of one step's session: everything that changes its
// answer, and the fingerprint of the step before it.
type Fingerprint [sha256.Size]byte

// String writes the fingerprint in hex.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// fingerprintVersion changes when what a fingerprint covers does.
const fingerprintVersion = "crossrole 1"

type fingerprinter struct{ hash.Hash }

func newFingerprinter(kind string) fingerprinter {
	f := fingerprinter{sha256.New()}
	f.add(fingerprintVersion, kind)
	return f
}

// add writes each text with its length, so that no two lists look alike.
func (f fingerprinter) add(texts ...string) {
	var size [8]byte
	for _, t := range texts {
		binary.BigEndian.PutUint64(size[:], uint64(len(t)))
		f.Write(size[:])
		f.Write([]byte(t))
	}
}

func (f fingerprinter) sum() (out Fingerprint) {
	f.Sum(out[:0])
	return out
}

// sourceIdentityKeys are the properties that tell one source from another. A
// key's secret is left out: its id names the user. Everything else here says
// what is run or whom is asked.
var sourceIdentityKeys = []string{
	"aws_access_key_id", "aws_session_token", "credential_process",
	"sso_session", "sso_start_url", "sso_region", "sso_account_id", "sso_role_name",
	"login_session", "web_identity_token_file", "web_identity_audience",
	"ec2_metadata_service_endpoint", "ec2_metadata_service_endpoint_mode",
}

// sourceFingerprint is the identity of what a chain starts from. subject is
// what only the environment tells: the key id, the token's subject, the URI.
func sourceFingerprint(s profile.Source, where Where, subject []string) Fingerprint {
	f := newFingerprinter("source")
	f.add(string(s.Kind), s.Profile)
	f.add(where.texts()...)
	for _, key := range sourceIdentityKeys {
		f.add(key, s.Properties[key].Text)
	}
	for _, key := range []string{"sso_start_url", "sso_region", "sso_registration_scopes"} {
		f.add(s.SSO[key].Text)
	}
	f.add(subject...)
	return f.sum()
}

// fingerprint is the identity of the call's session, given its caller's.
func (c *Call) fingerprint(caller Fingerprint, kind string, where Where) Fingerprint {
	f := newFingerprinter(kind)
	f.add(string(caller[:]))
	f.add(where.texts()...)
	f.add(c.Role.String(), c.ExternalID, c.SessionName, c.MFASerial, seconds(c.Duration), c.SourceIdentity, c.Policy)
	f.addList(len(c.Tags), func(i int) []string { return []string{c.Tags[i].Key, c.Tags[i].Value} })
	f.addSorted(c.TransitiveTags)
	f.addSorted(c.PolicyARNs)
	return f.sum()
}

func (f fingerprinter) addList(n int, item func(int) []string) {
	f.add(strconv.Itoa(n))
	for i := range n {
		f.add(item(i)...)
	}
}

func (f fingerprinter) addSorted(texts []string) {
	sorted := slices.Clone(texts)
	slices.Sort(sorted)
	f.addList(len(sorted), func(i int) []string { return sorted[i : i+1] })
}

func (m *MFASession) fingerprint(caller Fingerprint, where Where) Fingerprint {
	f := newFingerprinter("mfa")
	f.add(string(caller[:]))
	f.add(where.texts()...)
	f.add(m.Serial, seconds(m.Duration))
	return f.sum()
}

// texts are the parts of Where that decide who answers.
func (w Where) texts() []string {
	return []string{w.Region, w.Endpoint, strconv.FormatBool(w.Global), strconv.FormatBool(w.FIPS), strconv.FormatBool(w.Dualstack)}
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }
