package localsts

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// session is what a session token carries, sealed: the server keeps no list of the sessions it gave out, so a
// million of them cost nothing and none can be forged.
type session struct {
	KeyID   string      `json:"k"`
	Secret  string      `json:"s"`
	Kind    sessionKind `json:"t"`
	Account string      `json:"a"`
	// Name is the user's name, the role's name or the federated user's name.
	Name           string     `json:"n,omitempty"`
	OwnerID        string     `json:"o,omitempty"` // unique id of the user or role when the session was made
	SessionName    string     `json:"sn,omitempty"`
	Issued         time.Time  `json:"i"`
	Expires        time.Time  `json:"e"`
	MFA            bool       `json:"m,omitempty"`
	Tags           []Tag      `json:"tags,omitempty"`
	Transitive     []string   `json:"tr,omitempty"`
	SourceIdentity string     `json:"si,omitempty"`
	Policies       []Document `json:"p,omitempty"`
	PolicyARNs     []string   `json:"pa,omitempty"`
	Federated      string     `json:"f,omitempty"` // the identity provider that vouched for the session
	Chained        bool       `json:"c,omitempty"`
}

type sessionKind string

const (
	userSession      sessionKind = "user"      // GetSessionToken
	roleSession      sessionKind = "role"      // AssumeRole and its sisters
	federatedSession sessionKind = "federated" // GetFederationToken
)

// mint makes session tokens and opens them.
type mint struct{ aead cipher.AEAD }

func newMint() (*mint, error) {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("make a key for session tokens: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make a key for session tokens: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("make a key for session tokens: %w", err)
	}
	return &mint{aead}, nil
}

// issue gives the session its keys and returns its token.
func (m *mint) issue(s *session) (token string, err error) {
	seed := make([]byte, 16+30)
	if _, err := rand.Read(seed); err != nil {
		return "", err
	}
	s.KeyID = uniqueID("ASIA", s.Account, seed[:16])
	s.Secret = base64.StdEncoding.EncodeToString(seed[16:])
	return m.seal("session", s)
}

func (m *mint) open(token string) (*session, bool) {
	s := &session{}
	return s, m.unseal("session", token, s)
}

// seal encrypts v for a purpose; what was sealed for one purpose does not open for another.
func (m *mint) seal(purpose string, v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	if b, err = deflate(b); err != nil {
		return "", err
	}
	nonce := make([]byte, m.aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(m.aead.Seal(nonce, nonce, b, []byte(purpose))), nil
}

func (m *mint) unseal(purpose, text string, v any) bool {
	b, err := base64.StdEncoding.DecodeString(text)
	n := m.aead.NonceSize()
	if err != nil || len(b) < n {
		return false
	}
	plain, err := m.aead.Open(nil, b[:n], b[n:], []byte(purpose))
	return err == nil && json.NewDecoder(flate.NewReader(bytes.NewReader(plain))).Decode(v) == nil
}

// deflaters are kept: making one costs more than using it.
var deflaters = sync.Pool{New: func() any {
	z, _ := flate.NewWriter(nil, flate.BestSpeed) // the level is valid
	return z
}}

// deflate makes tokens shorter; what it packs was made here and opens only with the mint's key.
func deflate(b []byte) ([]byte, error) {
	z := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(z)
	var out bytes.Buffer
	z.Reset(&out)
	if _, err := z.Write(b); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// uniqueID makes an id as IAM's look: a prefix and 16 characters, the first eight of which carry the account
// (which is how GetAccessKeyInfo can name the account of any key).
func uniqueID(prefix, account string, seed []byte) string {
	n, _ := strconv.ParseUint(account, 10, 64)
	sum := sha256.Sum256(append([]byte(prefix+account), seed...))
	var b [10]byte
	v := n<<7 | 1<<47 | uint64(sum[31]&0x7f)
	for i := range 6 {
		b[i] = byte(v >> (40 - 8*i))
	}
	copy(b[6:], sum[:4])
	return prefix + base32.StdEncoding.EncodeToString(b[:])
}

// keyAccount reads the account out of an id that uniqueID (or AWS, since 2019) made.
func keyAccount(id string) (string, bool) {
	if len(id) != 20 {
		return "", false
	}
	b, err := base32.StdEncoding.DecodeString(id[4:])
	if err != nil || b[0]&0x80 == 0 {
		return "", false
	}
	var v uint64
	for _, x := range b[:6] {
		v = v<<8 | uint64(x)
	}
	acct := fmt.Sprintf("%012d", v&(1<<47-1)>>7)
	return acct, len(acct) == 12
}
