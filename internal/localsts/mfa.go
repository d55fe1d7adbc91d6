package localsts

import (
	"crypto/subtle"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

const mfaStep = 30 // seconds

// checkMFA judges the serial number and code of a request. It says whether MFA was used at all.
func (s *Server) checkMFA(c *caller, serial, code string, now time.Time) (bool, *apiError) {
	if serial == "" && code == "" {
		return false, nil
	}
	if serial == "" || code == "" {
		return false, accessDenied(msgMFABoth)
	}
	if c.user == nil || c.session != nil {
		return false, accessDenied(msgMFAUnknown)
	}
	for _, d := range c.user.MFADevices {
		if d.Serial == serial {
			if !s.world.useCode(d, code, now) {
				return false, accessDenied(msgMFAInvalidCode)
			}
			return true, nil
		}
	}
	return false, accessDenied(msgMFAUnknown)
}

// useCode accepts a device's code of this step or a neighbouring one, once: neither it nor an older one works
// again (RFC 6238, 5.2).
func (w *World) useCode(d MFADevice, code string, now time.Time) bool {
	step := uint64(max(now.Unix(), 0)) / mfaStep
	w.mfaMu.Lock()
	defer w.mfaMu.Unlock()
	for n := step - min(step, 1); n <= step+1; n++ {
		want, err := hotp.GenerateCodeCustom(string(d.Seed), n, hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return false
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) != 1 {
			continue
		}
		if last, used := w.mfaUsed[d.Serial]; used && n <= last {
			return false
		}
		w.mfaUsed[d.Serial] = n
		return true
	}
	return false
}

// Code is the code that the device shows at a time.
func (d MFADevice) Code(at time.Time) (string, error) {
	return hotp.GenerateCodeCustom(string(d.Seed), uint64(max(at.Unix(), 0))/mfaStep,
		hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
}
