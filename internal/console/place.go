package console

import (
	"net/url"
	"regexp"
	"strings"
)

// place is where a partition's console lives.
type place struct {
	domain string
	// region is what the host names begin with, in partitions that have no host
	// for all their regions.
	region string
}

// places by partition. The domains are those of the sign-in endpoints that the
// SDKs know (the endpoint rules of the service "signin").
var places = map[string]place{
	"aws":        {domain: "aws.amazon.com"},
	"aws-cn":     {domain: "amazonaws.cn"},
	"aws-us-gov": {domain: "amazonaws-us-gov.com"},
	"aws-eusc":   {domain: "amazonaws-eusc.eu", region: "eusc-de-east-1"},
	"aws-iso":    {domain: "c2shome.ic.gov", region: "us-iso-east-1"},
	"aws-iso-b":  {domain: "sc2shome.sgov.gov", region: "us-isob-east-1"},
	"aws-iso-e":  {domain: "csphome.adc-e.uk", region: "eu-isoe-west-1"},
	"aws-iso-f":  {domain: "csphome.hci.ic.gov", region: "us-isof-south-1"},
}

func placeOf(partition, region string) (place, error) {
	if partition == "" {
		partition = "aws"
	}
	p, ok := places[partition]
	if !ok {
		return place{}, &InputError{"partition", partition, "has no console that we know"}
	}
	if region != "" && !label.MatchString(region) {
		return place{}, &InputError{"region", region, "is not a region's name"}
	}
	if p.region != "" && region != "" {
		p.region = region
	}
	return p, nil
}

func (p place) host(name string) string {
	if p.region != "" {
		return "https://" + p.region + "." + name + "." + p.domain
	}
	return "https://" + name + "." + p.domain
}

func (p place) signIn() string { return p.host("signin") }

var (
	label   = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	service = regexp.MustCompile(`^[A-Za-z0-9_-]+(/[A-Za-z0-9_.-]+)*$`)
)

// paths are services whose address in the console is not their name in the AWS CLI.
var paths = map[string]string{
	"": "console", "home": "console", "console": "console",
	"accessanalyzer": "access-analyzer", "apigw": "apigateway", "cfn": "cloudformation", "codestar-connections": "codesuite/settings/connections",
	"codebuild": "codesuite/codebuild", "codecommit": "codesuite/codecommit", "codedeploy": "codesuite/codedeploy", "codepipeline": "codesuite/codepipeline",
	"cw": "cloudwatch", "logs": "cloudwatch", "cognito-idp": "cognito/v2", "cognito": "cognito/v2", "ddb": "dynamodbv2", "dynamodb": "dynamodbv2",
	"ecs": "ecs/v2", "elasticache": "elasticache", "elb": "ec2", "elbv2": "ec2", "es": "aos", "opensearch": "aos",
	"eventbridge": "events", "events": "events", "org": "organizations/v2", "orgs": "organizations/v2", "organizations": "organizations/v2",
	"r53": "route53/v2", "route53": "route53/v2", "sfn": "states", "stepfunctions": "states", "sm": "secretsmanager", "sns": "sns/v3", "sqs": "sqs/v3",
	"ssm": "systems-manager", "sso": "singlesignon", "sso-admin": "singlesignon", "tag": "resource-groups", "vpc": "vpcconsole", "waf": "wafv2", "wafv2": "wafv2",
}

// destination is the page that the console shows after the sign-in.
func (p place) destination(name, region string) (string, error) {
	path, known := paths[strings.ToLower(name)]
	if !known {
		first, below, _ := strings.Cut(strings.Trim(name, "/"), "/")
		path = strings.TrimSuffix(strings.ToLower(first)+"/"+below, "/")
	}
	if !service.MatchString(path) {
		return "", &InputError{"service", name, "is not a name in the console's addresses"}
	}
	page := p.host("console") + "/" + path
	if known || !strings.Contains(path, "/") {
		page += "/home"
	}
	if region != "" {
		page += "?" + url.Values{"region": {region}}.Encode()
	}
	return page, nil
}
