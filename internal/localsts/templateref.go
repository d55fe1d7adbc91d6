package localsts

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// nameProperty is the property that names a resource of a type.
var nameProperty = map[string]string{
	"AWS::IAM::User": "UserName", "AWS::IAM::Role": "RoleName", "AWS::IAM::Group": "GroupName",
	"AWS::IAM::ManagedPolicy": "ManagedPolicyName", "AWS::IAM::SAMLProvider": "Name", "AWS::S3::Bucket": "BucketName",
	"AWS::IAM::VirtualMFADevice": "VirtualMfaDeviceName", "AWS::IAM::InstanceProfile": "InstanceProfileName",
}

// ref is what Ref gives: a parameter, a pseudo parameter or a resource.
func (t *template) ref(name string) (*yaml.Node, error) {
	if p, ok := t.params[name]; ok {
		return p, nil
	}
	switch name {
	case "AWS::NoValue":
		return noValue, nil
	case "AWS::NotificationARNs":
		return seq(), nil
	}
	pseudo := map[string]string{
		"AWS::AccountId": t.opts.ID, "AWS::Partition": t.opts.Partition, "AWS::Region": t.opts.Region, "AWS::StackName": t.opts.Stack,
		"AWS::StackId":   "arn:" + t.opts.Partition + ":cloudformation:" + t.opts.Region + ":" + t.opts.ID + ":stack/" + t.opts.Stack + "/00000000-0000-0000-0000-000000000000",
		"AWS::URLSuffix": map[bool]string{true: "amazonaws.com.cn", false: "amazonaws.com"}[t.opts.Partition == "aws-cn"],
	}
	if v, ok := pseudo[name]; ok {
		return str(v), nil
	}
	res := t.resources[name]
	if res == nil {
		return nil, fmt.Errorf("no parameter or resource %q", name)
	}
	switch scalar(member(res, "Type")) {
	case "AWS::IAM::ManagedPolicy", "AWS::IAM::OIDCProvider", "AWS::IAM::SAMLProvider", "AWS::IAM::VirtualMFADevice":
		return t.attribute(name, "Arn")
	case "AWS::IAM::AccessKey":
		return str(t.accessKeyID(name)), nil
	}
	v, err := t.physical(name)
	return str(v), err
}

// physical is a resource's name: the one that it is given, else its logical id, so that a rehearsal can be written
// down (CloudFormation would add the stack's name and random letters).
func (t *template) physical(id string) (string, error) {
	res := t.resources[id]
	prop := nameProperty[scalar(member(res, "Type"))]
	given := member(member(res, "Properties"), prop)
	if prop == "" || given == nil {
		return id, nil
	}
	v, err := t.once("the name of "+id, func() (*yaml.Node, error) { return t.resolve(given) })
	if err != nil {
		return "", err
	}
	if v == noValue {
		return id, nil
	}
	if v.Kind != yaml.ScalarNode {
		return "", fmt.Errorf("%s of %q is not a string", prop, id)
	}
	return v.Value, nil
}

// attribute is what GetAtt gives. Of a type that is not served, Arn is made up so that policies that name the resource still read well.
func (t *template) attribute(id, attr string) (*yaml.Node, error) {
	res := t.resources[id]
	if res == nil {
		return nil, fmt.Errorf("no resource %q", id)
	}
	arn := func() (*yaml.Node, error) {
		name, err := t.physical(id)
		if err != nil {
			return nil, err
		}
		return t.resourceARN(scalar(member(res, "Type")), id, name)
	}
	switch attr {
	case "Arn", "PolicyArn", "SerialNumber":
		return t.once("the ARN of "+id, arn)
	case "RoleId":
		v, err := t.once("the ARN of "+id, arn)
		if err != nil {
			return nil, err
		}
		return str(uniqueID("AROA", t.opts.ID, []byte(v.Value))), nil
	}
	return str(id + "." + attr), nil
}

// maxTemplateText bounds what Fn::Sub and Fn::Join may make: a few short lines can ask for gigabytes.
const maxTemplateText = 1 << 20

// once evaluates what is asked for often just once, and refuses what depends on itself.
func (t *template) once(what string, eval func() (*yaml.Node, error)) (*yaml.Node, error) {
	if v := t.memo[what]; v != nil {
		return v, nil
	}
	if t.busy[what] {
		return nil, fmt.Errorf("%s depends on itself", what)
	}
	t.busy[what] = true
	defer delete(t.busy, what)
	v, err := eval()
	if err != nil {
		return nil, err
	}
	if len(v.Value) > maxTemplateText {
		return nil, fmt.Errorf("%s is too long", what)
	}
	t.memo[what] = v
	return v, nil
}

func (t *template) resourceARN(kind, id, name string) (*yaml.Node, error) {
	path := "/"
	if p := member(member(t.resources[id], "Properties"), "Path"); p != nil {
		v, err := t.resolve(p)
		if err != nil {
			return nil, err
		}
		path = or(v.Value, "/")
	}
	a := &Account{ID: t.opts.ID, Partition: t.opts.Partition}
	switch kind {
	case "AWS::IAM::User":
		return str(a.iam("user" + path + name)), nil
	case "AWS::IAM::Role":
		return str(a.iam("role" + path + name)), nil
	case "AWS::IAM::Group":
		return str(a.iam("group" + path + name)), nil
	case "AWS::IAM::ManagedPolicy":
		return str(a.iam("policy" + path + name)), nil
	case "AWS::IAM::SAMLProvider":
		return str(a.iam("saml-provider/" + name)), nil
	case "AWS::IAM::VirtualMFADevice":
		return str(a.iam("mfa" + path + name)), nil
	case "AWS::IAM::OIDCProvider":
		u, err := t.resolve(orNode(member(member(t.resources[id], "Properties"), "Url")))
		if err != nil {
			return nil, err
		}
		return str(a.iam("oidc-provider/" + strings.TrimPrefix(u.Value, "https://"))), nil
	case "AWS::S3::Bucket":
		return str("arn:" + t.opts.Partition + ":s3:::" + strings.ToLower(name)), nil
	}
	service := "unknown"
	if f := strings.Split(kind, "::"); len(f) == 3 {
		service = strings.ToLower(f[1])
	}
	return str("arn:" + t.opts.Partition + ":" + service + ":" + t.opts.Region + ":" + t.opts.ID + ":" + id), nil
}

func orNode(n *yaml.Node) *yaml.Node {
	if n == nil {
		return str("")
	}
	return n
}

// accessKeyID is the id of an AWS::IAM::AccessKey, the same at every start.
func (t *template) accessKeyID(id string) string {
	return uniqueID("AKIA", t.opts.ID, []byte("key "+id))
}
