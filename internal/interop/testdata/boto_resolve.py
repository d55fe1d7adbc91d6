"""Say how botocore (the AWS CLI's reader) resolves profiles, without any network.

Reads a JSON list of {"config", "credentials", "profile"} on stdin and prints a JSON list: for each either
{"error": text} or {"source": access key id, "calls": [AssumeRole's parameters, in order], "region": name}.
Only the calls themselves are replaced: STS answers with a made-up key that leads back to the call, instance metadata
and containers with a key that names them.
"""

import datetime
import json
import os
import sys

import botocore.credentials
import botocore.session

calls = []


class RecordingSTS:
    def __init__(self, access_key):
        self.access_key = access_key

    def assume_role(self, **parameters):
        calls.append((self.access_key, parameters))
        expires = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        return {
            "Credentials": {
                "AccessKeyId": "CALL%d" % (len(calls) - 1),
                "SecretAccessKey": "s",
                "SessionToken": "t",
                "Expiration": expires,
            },
            "AssumedRoleUser": {"AssumedRoleId": "r", "Arn": parameters["RoleArn"]},
        }

    def assume_role_with_web_identity(self, **parameters):
        parameters["WebIdentity"] = parameters.pop("WebIdentityToken")
        self.access_key = "WEB"
        return self.assume_role(**parameters)


def client_creator(_session, _region_name):
    return lambda _service, **kw: RecordingSTS(kw.get("aws_access_key_id"))


from_source = botocore.credentials.CanonicalNameCredentialSourcer.source_credentials


def metadata_source(self, name):
    if name == "Environment":
        return from_source(self, name)
    return botocore.credentials.Credentials("SOURCE-" + name, "s", "t")


def resolve(case):
    calls.clear()
    os.environ["AWS_CONFIG_FILE"] = case["config"]
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = case["credentials"]
    session = botocore.session.Session(profile=case["profile"])
    try:
        credentials = session.get_credentials()
        if credentials is None:
            return {"error": "no credentials"}
        key = credentials.get_frozen_credentials().access_key
        region = session.get_config_variable("region")
    except Exception as error:  # every kind of refusal is an answer here
        return {"error": "%s: %s" % (type(error).__name__, error)}
    chain = []
    while key.startswith("CALL"):
        key, parameters = calls[int(key[4:])]
        chain.insert(0, parameters)
    return {"source": key, "calls": chain, "region": region}


def main():
    provider = botocore.credentials.AssumeRoleProvider
    construct = provider.__init__

    def construct_quietly(self, *args, **kw):
        construct(self, *args, **{**kw, "prompter": lambda *_: "123456"})

    provider.__init__ = construct_quietly
    botocore.credentials._get_client_creator = client_creator
    botocore.credentials.CanonicalNameCredentialSourcer.source_credentials = metadata_source
    json.dump([resolve(case) for case in json.load(sys.stdin)], sys.stdout, default=str)


main()
