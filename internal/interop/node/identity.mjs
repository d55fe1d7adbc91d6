// A Node SDK program with the SDK's defaults: prints the ARN that GetCallerIdentity answers with.
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";

const identity = await new STSClient({}).send(new GetCallerIdentityCommand({}));
console.log(identity.Arn);
