package profile

import "bytes"

// SharesMFA tells whether more than one profile names this MFA device, so that
// one code could serve several roles. It looks at the lines, not at the
// profiles: a comment that names the device counts too, and costs nothing.
func (s *Set) SharesMFA(serial string) bool {
	uses := 0
	for _, d := range []*document{s.config, s.credentials} {
		uses += bytes.Count(d.data, []byte(serial))
	}
	return serial != "" && uses > 1
}
