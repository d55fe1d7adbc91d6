package assume

import (
	"errors"
	"strings"
)

// ARN is the parsed Amazon Resource Name of a role.
type ARN struct {
	Partition string
	Account   string // 12 digits
	Path      string // starts and ends with "/"
	Name      string
}

// String writes the ARN as AWS does.
func (a ARN) String() string {
	return "arn:" + a.Partition + ":iam::" + a.Account + ":role" + a.Path + a.Name
}

var (
	partitionForm = newForm(`^aws(-[a-z]+)*$`)
	accountForm   = newForm(`^[0-9]{12}$`)
	roleNameForm  = newForm(`^[\w+=,.@-]{1,64}$`)
	rolePathForm  = newForm(`^/([!-~]+/)?$`)
)

// ParseRoleARN reads arn:PARTITION:iam::ACCOUNT:role/PATH/NAME. The error says
// what is wrong with it in a few words. Source: IAM user guide, "IAM ARNs".
func ParseRoleARN(text string) (ARN, error) {
	if text != strings.TrimSpace(text) || strings.ContainsAny(text, " \t") {
		return ARN{}, errors.New("it has a blank in it")
	}
	part := strings.SplitN(text, ":", 6)
	if len(part) != 6 || part[0] != "arn" {
		return ARN{}, errors.New("an ARN has six parts, as in arn:aws:iam::123456789012:role/name")
	}
	if err := checkIAM(part); err != nil {
		return ARN{}, err
	}
	kind, rest, ok := strings.Cut(part[5], "/")
	if !ok || kind != "role" {
		return ARN{}, errors.New("it names a " + quoted(kind) + ", not a role (role/NAME)")
	}
	at := strings.LastIndexByte(rest, '/')
	arn := ARN{Partition: part[1], Account: part[4], Path: "/" + rest[:at+1], Name: rest[at+1:]}
	if !roleNameForm.MatchString(arn.Name) || !rolePathForm.MatchString(arn.Path) || len(arn.Path) > 512 {
		return ARN{}, errors.New("a role's name has 1 to 64 letters, digits and _+=,.@- after its path")
	}
	return arn, nil
}

// checkIAM says what stands before the resource and does not belong there.
func checkIAM(part []string) error {
	switch {
	case !partitionForm.MatchString(part[1]):
		return errors.New("its partition is none of AWS's (aws, aws-cn, aws-us-gov, …)")
	case part[2] == "sts" && strings.HasPrefix(part[5], "assumed-role/"):
		return errors.New("it names a session of a role, not the role (arn:…:iam::…:role/…)")
	case part[2] != "iam":
		return errors.New("it is an ARN of service " + quoted(part[2]) + ", not of iam")
	case part[3] != "":
		return errors.New("an IAM ARN has no region")
	case !accountForm.MatchString(part[4]):
		return errors.New("an account ID has 12 digits")
	default:
		return nil
	}
}

// LooksLikeARN tells an argument that is meant as an ARN from a profile's name.
func LooksLikeARN(text string) bool { return strings.HasPrefix(text, "arn:") }

// accountOf gives the account of any ARN, or "".
func accountOf(arn string) string {
	part := strings.SplitN(arn, ":", 6)
	if len(part) == 6 && accountForm.MatchString(part[4]) {
		return part[4]
	}
	return ""
}

// homeRegion is where a partition's STS is called when no region is known.
// Source: AWS general reference, partitions and their first regions.
func homeRegion(partition string) string {
	switch partition {
	case "aws-cn":
		return "cn-north-1"
	case "aws-us-gov":
		return "us-gov-west-1"
	case "aws-iso":
		return "us-iso-east-1"
	case "aws-iso-b":
		return "us-isob-east-1"
	case "aws-iso-e":
		return "eu-isoe-west-1"
	case "aws-iso-f":
		return "us-isof-south-1"
	case "aws-eusc":
		return "eusc-de-east-1"
	default:
		return "us-east-1"
	}
}

// PartitionOf gives the partition that a region belongs to.
func PartitionOf(region string) string {
	for _, p := range []struct{ prefix, partition string }{
		{"cn-", "aws-cn"},
		{"us-gov-", "aws-us-gov"},
		{"us-isob-", "aws-iso-b"},
		{"us-isof-", "aws-iso-f"},
		{"us-iso-", "aws-iso"},
		{"eu-isoe-", "aws-iso-e"},
		{"eusc-", "aws-eusc"},
	} {
		if strings.HasPrefix(region, p.prefix) {
			return p.partition
		}
	}
	return "aws"
}
