package assume

import (
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The limits of the STS API reference, checked before any call.
const (
	minDuration     = 900 * time.Second
	maxDuration     = 43200 * time.Second
	maxChained      = 3600 * time.Second // a caller that is itself an assumed role
	maxTags         = 50
	maxTagKey       = 128
	maxTagValue     = 256
	maxPolicyARNs   = 10
	maxPolicyText   = 2048
	minNameLength   = 2
	maxNameLength   = 64
	maxExternalID   = 1224
	minSerialLength = 9
	maxSerialLength = 256
	maxARNLength    = 2048
)

var (
	nameForm       = newForm(`^[\w+=,.@-]*$`)
	externalIDForm = newForm(`^[\w+=,.@:/-]*$`)
	serialForm     = newForm(`^[\w+=/:,.@-]*$`)
	codeForm       = newForm(`^[0-9]{6}$`)
	tagForm        = newForm(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
	policyARNForm  = newForm(`^arn:aws(-[a-z]+)*:iam::([0-9]{12}|aws):policy/[!-~]+$`)
)

func checkName(text string) error {
	if n := len(text); n < minNameLength || n > maxNameLength || !nameForm.MatchString(text) {
		return errors.New("it must be 2 to 64 letters, digits and _+=,.@-")
	}
	return nil
}

func checkExternalID(text string) error {
	if n := len(text); n < minNameLength || n > maxExternalID || !externalIDForm.MatchString(text) {
		return errors.New("it must be 2 to 1224 letters, digits and _+=,.@:/-")
	}
	return nil
}

func checkSerial(text string) error {
	if strings.Contains(text, ":u2f/") {
		return errors.New("it is a FIDO security key, which STS can't use: register a virtual MFA device (arn:…:mfa/…) beside it")
	}
	if n := len(text); n < minSerialLength || n > maxSerialLength || !serialForm.MatchString(text) {
		return errors.New("it must be a device's serial number or ARN of 9 to 256 characters")
	}
	return nil
}

// CheckCode refuses what can't be an MFA code. Six digits is STS's rule.
func CheckCode(text string) error {
	if !codeForm.MatchString(text) {
		return errors.New("an MFA code has 6 digits")
	}
	return nil
}

// ParseDuration reads seconds ("3600"), as the profile key has them, or a Go
// duration ("1h30m"), as people type them.
func ParseDuration(text string) (time.Duration, error) {
	const form = `it must be seconds, or a duration such as "1h30m"`
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		return time.Duration(seconds) * time.Second, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d%time.Second != 0 {
		return 0, errors.New(form)
	}
	return d, nil
}

func checkDuration(text string, plainSeconds bool) (time.Duration, error) {
	d, err := ParseDuration(text)
	if plainSeconds && err == nil {
		if _, notNumber := strconv.ParseInt(text, 10, 32); notNumber != nil {
			err = errors.New("duration_seconds is a number of seconds, as the AWS CLI reads it")
		}
	}
	if err == nil && (d < minDuration || d > maxDuration) {
		err = errors.New("it must be 900 to 43200 seconds (15 minutes to 12 hours)")
	}
	return d, err
}

func checkTag(key, value string) error {
	switch {
	case key == "" || utf8.RuneCountInString(key) > maxTagKey:
		return errors.New("a tag's key has 1 to 128 characters")
	case utf8.RuneCountInString(value) > maxTagValue:
		return errors.New("a tag's value has at most 256 characters")
	case !tagForm.MatchString(key) || !tagForm.MatchString(value):
		return errors.New("a tag has letters, digits, blanks and _.:/=+-@")
	case strings.HasPrefix(strings.ToLower(key), "aws:"):
		return errors.New(`a tag's key can't begin with "aws:"`)
	}
	return nil
}

func checkPolicyARN(text string) error {
	if len(text) < 20 || len(text) > maxARNLength || !policyARNForm.MatchString(text) {
		return errors.New("it must be a managed policy's ARN (arn:aws:iam::123456789012:policy/name)")
	}
	return nil
}

// SessionName makes a session name of whoever is calling, in STS's alphabet
// and length.
func SessionName(who string) string {
	clean := strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && nameForm.MatchString(string(r)) {
			return r
		}
		return '-'
	}, "crossrole-"+who)
	clean = strings.TrimRight(clean, "-")
	if len(clean) > maxNameLength {
		clean = clean[:maxNameLength]
	}
	return clean
}
