package output

import (
	"bytes"
	"encoding/json"
)

// processJSON is the answer of a credential_process: what is not known is left
// out. (AWS SDKs reference guide, "Process credential provider".)
type processJSON struct {
	Version         int
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string `json:",omitempty"`
	Expiration      string `json:",omitempty"`
	AccountID       string `json:"AccountId,omitempty"`
}

// process writes one object on one line.
func process(c Credentials) (string, error) {
	if err := needJSON(c); err != nil {
		return "", err
	}
	return encode(processJSON{
		Version: 1, AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken,
		Expiration: c.expiration(), AccountID: c.AccountID,
	}, "")
}

// documentVersion counts the shapes of the format json. A key may be added
// without a new version; none changes its meaning or goes away.
const documentVersion = 1

// documentJSON is the format json. What is not known is null. In environment, a
// text is to be set and null is to be taken away: `load-env` of nushell takes it
// as it is.
type documentJSON struct {
	Version     int                `json:"version"`
	Profile     *string            `json:"profile"`
	Account     *string            `json:"account"`
	ARN         *string            `json:"arn"`
	Region      *string            `json:"region"`
	ExpiresAt   *string            `json:"expires_at"` // RFC 3339, UTC
	Credentials documentKeys       `json:"credentials"`
	Environment map[string]*string `json:"environment"`
}

type documentKeys struct {
	AccessKeyID     string  `json:"access_key_id"`
	SecretAccessKey string  `json:"secret_access_key"`
	SessionToken    *string `json:"session_token"` // null for long-term keys
}

func document(c Credentials) (string, error) {
	if err := needJSON(c); err != nil {
		return "", err
	}
	d := documentJSON{
		Version: documentVersion, Profile: known(c.Profile), Account: known(c.AccountID), ARN: known(c.ARN),
		Region: known(c.Region), ExpiresAt: known(c.expiration()),
		Credentials: documentKeys{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: known(c.SessionToken)},
		Environment: map[string]*string{},
	}
	for _, v := range Variables(c) {
		if v.Unset {
			d.Environment[v.Name] = nil
		} else {
			d.Environment[v.Name] = &v.Value
		}
	}
	return encode(d, "  ")
}

// known is nil for what is not.
func known(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// needJSON refuses what JSON would change in silence.
func needJSON(c Credentials) error {
	for _, v := range append(Variables(c), Variable{Name: "the session's ARN", Value: c.ARN}) {
		if err := needUTF8(v); err != nil {
			return err
		}
	}
	return nil
}

func encode(value any, indent string) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(value); err != nil {
		return "", err
	}
	return b.String(), nil
}
