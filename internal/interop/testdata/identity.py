"""A boto3 program with the SDK's defaults: prints the ARN that GetCallerIdentity answers with."""

import boto3

print(boto3.client("sts").get_caller_identity()["Arn"])
