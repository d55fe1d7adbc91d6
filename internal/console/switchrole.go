package console

import (
	"fmt"
	"net/url"
	"strings"
)

// SwitchRole is the console's own link for switching to a role: a person who is
// signed in as a user clicks it. A role's path is part of its name there, as the
// IAM user guide says of the field. displayName is what the console shows; "" is
// the role and its account.
func SwitchRole(roleARN, displayName string) (string, error) {
	parts := strings.SplitN(roleARN, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "iam" || !isAccount(parts[4]) {
		return "", &InputError{"role", roleARN, "is not a role's ARN"}
	}
	name, isRole := strings.CutPrefix(parts[5], "role/")
	if !isRole || name == "" || strings.HasSuffix(name, "/") {
		return "", &InputError{"role", roleARN, "is not a role's ARN"}
	}
	p, err := placeOf(parts[1], "")
	if err != nil {
		return "", err
	}
	if displayName == "" {
		displayName = name[strings.LastIndex(name, "/")+1:] + " @ " + parts[4]
	}
	// Not url.Values: the console's own links have the account first.
	return fmt.Sprintf("%s/switchrole?account=%s&roleName=%s&displayName=%s", p.signIn(), parts[4],
		strings.ReplaceAll(url.QueryEscape(name), "%2F", "/"), strings.ReplaceAll(url.QueryEscape(displayName), "+", "%20")), nil
}

func isAccount(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}
