package localsts

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/beevik/etree"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	dsig "github.com/russellhaering/goxmldsig"
)

// idp is an OpenID Connect provider with a key of its own.
type idp struct{ key *ecdsa.PrivateKey }

func newIDP(t *testing.T) idp {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return idp{k}
}

func (p idp) jwks(t *testing.T) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (p idp) token(t *testing.T, claims map[string]any) *string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: p.key, KeyID: "1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return &s
}

func claims(change map[string]any) map[string]any {
	c := map[string]any{
		"iss": "https://token.actions.example.com", "aud": "sts.amazonaws.com", "sub": "repo:example/app:ref:refs/heads/main",
		"exp": time.Now().Add(time.Minute).Unix(), "iat": time.Now().Unix(),
	}
	for k, v := range change {
		c[k] = v
		if v == nil {
			delete(c, k)
		}
	}
	return c
}

func TestWebIdentity(t *testing.T) {
	good, other := newIDP(t), newIDP(t)
	accounts := Example()
	accounts[1].OIDC[0].JWKS = good.jwks(t)
	s := StartTest(t, Options{}, accounts...)
	do := func(token *string) (*sts.AssumeRoleWithWebIdentityOutput, error) {
		return client(s.URL, keys{}).AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{
			RoleArn: target("CI"), RoleSessionName: aws.String("ci"), WebIdentityToken: token,
		})
	}
	out, err := do(good.token(t, claims(map[string]any{"https://aws.amazon.com/tags": map[string]any{"principal_tags": map[string]any{"team": []string{"red"}}}})))
	if err != nil {
		t.Fatal(err)
	}
	if *out.Audience != "sts.amazonaws.com" || !strings.HasPrefix(*out.SubjectFromWebIdentityToken, "repo:example/app") || *out.Provider != "arn:aws:iam::222222222222:oidc-provider/token.actions.example.com" {
		t.Errorf("answered %+v", out)
	}
	if who, err := client(s.URL, issued(out.Credentials)).GetCallerIdentity(t.Context(), nil); err != nil || *who.Arn != "arn:aws:sts::222222222222:assumed-role/CI/ci" {
		t.Errorf("caller %v %v", who, err)
	}
	now := time.Now()
	for name, c := range map[string]struct {
		token *string
		code  string
	}{
		"another key":      {other.token(t, claims(nil)), "InvalidIdentityToken"},
		"another issuer":   {good.token(t, claims(map[string]any{"iss": "https://evil.example.com"})), "InvalidIdentityToken"},
		"plain http":       {good.token(t, claims(map[string]any{"iss": "http://token.actions.example.com"})), "InvalidIdentityToken"},
		"another audience": {good.token(t, claims(map[string]any{"aud": "other"})), "InvalidIdentityToken"},
		"expired":          {good.token(t, claims(map[string]any{"exp": now.Add(-time.Second).Unix()})), "ExpiredTokenException"},
		"no expiry":        {good.token(t, claims(map[string]any{"exp": nil})), "InvalidIdentityToken"},
		"not yet":          {good.token(t, claims(map[string]any{"nbf": now.Add(time.Hour).Unix()})), "InvalidIdentityToken"},
		"another subject":  {good.token(t, claims(map[string]any{"sub": "repo:example/other:ref:x"})), "AccessDenied"},
		"no subject":       {good.token(t, claims(map[string]any{"sub": nil})), "InvalidIdentityToken"},
		"source identity":  {good.token(t, claims(map[string]any{"https://aws.amazon.com/source_identity": "a-san"})), "AccessDenied"},
		"not a token":      {aws.String("abcd"), "InvalidIdentityToken"},
		"unsigned":         {unsignedJWT(t, claims(nil)), "InvalidIdentityToken"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := do(c.token)
			wantCode(t, err, c.code)
		})
	}
}

// unsignedJWT has the algorithm "none".
func unsignedJWT(t *testing.T, c map[string]any) *string {
	t.Helper()
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	enc := base64.RawURLEncoding.EncodeToString
	return aws.String(enc([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + enc(b) + ".")
}

const (
	samlRole     = "arn:aws:iam::000000000000:role/Staff"
	samlProvARN  = "arn:aws:iam::000000000000:saml-provider/Corp"
	samlEntity   = "https://idp.example.com/metadata"
	samlTrustDoc = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + samlProvARN + `"},` +
		`"Action":"sts:AssumeRoleWithSAML","Condition":{"StringEquals":{"SAML:aud":"https://signin.aws.amazon.com/saml"}}}]}`
)

// samlText is a response with one assertion; change edits its text before it is signed.
func samlText(change ...string) string {
	until := time.Now().Add(5 * time.Minute).UTC().Format(time.RFC3339)
	a := `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a" Version="2.0" IssueInstant="` + until + `"><saml:Issuer>` + samlEntity + `</saml:Issuer>` +
		`<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">a-san</saml:NameID>` +
		`<saml:SubjectConfirmation><saml:SubjectConfirmationData NotOnOrAfter="` + until + `" Recipient="https://signin.aws.amazon.com/saml"/></saml:SubjectConfirmation></saml:Subject>` +
		`<saml:Conditions NotOnOrAfter="` + until + `"><saml:AudienceRestriction><saml:Audience>urn:amazon:webservices</saml:Audience></saml:AudienceRestriction></saml:Conditions>` +
		`<saml:AttributeStatement><saml:Attribute Name="https://aws.amazon.com/SAML/Attributes/Role"><saml:AttributeValue>` + samlRole + `,` + samlProvARN + `</saml:AttributeValue></saml:Attribute>` +
		`<saml:Attribute Name="https://aws.amazon.com/SAML/Attributes/RoleSessionName"><saml:AttributeValue>a-san</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion>`
	return strings.NewReplacer(change...).Replace(a)
}

// samlResponse signs the assertion and wraps it.
func samlResponse(t *testing.T, ks dsig.X509KeyStore, assertion string) string {
	t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromString(assertion); err != nil {
		t.Fatal(err)
	}
	el := doc.Root()
	if ks != nil {
		ctx := dsig.NewDefaultSigningContext(ks)
		ctx.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
		var err error
		if el, err = ctx.SignEnveloped(el); err != nil {
			t.Fatal(err)
		}
	}
	out := etree.NewDocument()
	out.SetRoot(el)
	text, err := out.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	return `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_r"><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>` + text + `</samlp:Response>`
}

func samlServer(t *testing.T, ks dsig.X509KeyStore) *TestServer {
	t.Helper()
	_, cert, err := ks.GetKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	meta := fmt.Sprintf(`<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID=%q><IDPSSODescriptor><KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#">`+
		`<X509Data><X509Certificate>%s</X509Certificate></X509Data></KeyInfo></KeyDescriptor></IDPSSODescriptor></EntityDescriptor>`, samlEntity, base64.StdEncoding.EncodeToString(cert))
	return StartTest(t, Options{}, &Account{
		ID: "000000000000", SAML: []*SAMLProvider{{ARN: samlProvARN, Metadata: meta}}, Roles: []*Role{{Name: "Staff", Trust: samlTrustDoc}},
	})
}

func TestSAML(t *testing.T) {
	ks, other := dsig.RandomKeyStoreForTest(), dsig.RandomKeyStoreForTest()
	s := samlServer(t, ks)
	do := func(response string) (*sts.AssumeRoleWithSAMLOutput, error) {
		return client(s.URL, keys{}).AssumeRoleWithSAML(t.Context(), &sts.AssumeRoleWithSAMLInput{
			RoleArn: aws.String(samlRole), PrincipalArn: aws.String(samlProvARN), SAMLAssertion: aws.String(base64.StdEncoding.EncodeToString([]byte(response))),
		})
	}
	good := samlResponse(t, ks, samlText())
	out, err := do(good)
	if err != nil {
		t.Fatal(err)
	}
	if *out.AssumedRoleUser.Arn != "arn:aws:sts::000000000000:assumed-role/Staff/a-san" || *out.Subject != "a-san" || *out.SubjectType != "persistent" || *out.Issuer != samlEntity {
		t.Errorf("answered %+v", out)
	}
	past := time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)
	evil := strings.Replace(samlText(`ID="_a"`, `ID="_b"`), ">a-san<", ">evil<", 2)
	for name, c := range map[string]struct{ response, code string }{
		"another key":      {samlResponse(t, other, samlText()), "InvalidIdentityToken"},
		"not signed":       {samlResponse(t, nil, samlText()), "InvalidIdentityToken"},
		"changed":          {strings.Replace(good, ">a-san</saml:NameID>", ">b-san</saml:NameID>", 1), "InvalidIdentityToken"},
		"wrapped before":   {strings.Replace(good, "</samlp:Status>", "</samlp:Status>"+evil, 1), "InvalidIdentityToken"},
		"wrapped after":    {strings.Replace(good, "</samlp:Response>", evil+"</samlp:Response>", 1), "InvalidIdentityToken"},
		"nested":           {strings.NewReplacer("<saml:Assertion ", "<x><saml:Assertion ", "</saml:Assertion>", "</saml:Assertion></x>").Replace(good), "InvalidIdentityToken"},
		"another issuer":   {samlResponse(t, ks, samlText(samlEntity, "https://evil.example.com")), "InvalidIdentityToken"},
		"expired":          {samlResponse(t, ks, samlText(`<saml:Conditions NotOnOrAfter="`, `<saml:Conditions x="" NotOnOrAfter="`+past+`" y="`)), "ExpiredTokenException"},
		"another audience": {samlResponse(t, ks, samlText("urn:amazon:webservices", "urn:other")), "InvalidIdentityToken"},
		"another role":     {samlResponse(t, ks, samlText(samlRole, samlRole+"2")), "AccessDenied"},
		"no session name":  {samlResponse(t, ks, samlText("Attributes/RoleSessionName", "Attributes/Other")), "InvalidIdentityToken"},
		"not xml":          {"<a>", "InvalidIdentityToken"},
		"entity bomb":      {`<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>`, "InvalidIdentityToken"},
		"deep":             {strings.Repeat("<a>", 9000) + strings.Repeat("</a>", 9000), "InvalidIdentityToken"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := do(c.response)
			wantCode(t, err, c.code)
		})
	}
}

func TestFederationToken(t *testing.T) {
	s := seedC(t)
	iamDo(t, s.URL, seedRoot, "PutUserPolicy", "UserName", "A-san", "PolicyName", "p", "PolicyDocument",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:GetFederationToken","sts:GetAccessKeyInfo","sts:AssumeRole"],"Resource":"*"}]}`).ok(t)
	out, err := client(s.URL, seedASan).GetFederationToken(t.Context(), &sts.GetFederationTokenInput{Name: aws.String("guest"), Policy: aws.String(allowSwitch)})
	if err != nil {
		t.Fatal(err)
	}
	k := issued(out.Credentials)
	if who, err := client(s.URL, k).GetCallerIdentity(t.Context(), nil); err != nil || *who.Arn != "arn:aws:sts::000000000000:federated-user/guest" || *who.UserId != "000000000000:guest" {
		t.Errorf("caller %v %v", who, err)
	}
	_, err = assume(t, s.URL, k, sts.AssumeRoleInput{RoleArn: aws.String(seedRole)})
	wantCode(t, err, "AccessDenied")
	_, err = client(s.URL, k).GetFederationToken(t.Context(), &sts.GetFederationTokenInput{Name: aws.String("guest")})
	wantCode(t, err, "AccessDenied")
	iamDo(t, s.URL, k, "GetUser").refused(t, 403, "InvalidClientTokenId")
	for _, id := range []string{k.id, seedASan.id} {
		info, err := client(s.URL, seedASan).GetAccessKeyInfo(t.Context(), &sts.GetAccessKeyInfoInput{AccessKeyId: &id})
		if err != nil || *info.Account != "000000000000" {
			t.Errorf("%s belongs to %v %v", id, info, err)
		}
	}
	_, err = client(s.URL, k).GetAccessKeyInfo(t.Context(), &sts.GetAccessKeyInfoInput{AccessKeyId: &k.id})
	wantCode(t, err, "AccessDenied")
}

func TestSessionPolicyNarrows(t *testing.T) {
	s := StartTest(t, Options{})
	hop := aws.String("arn:aws:iam::111111111111:role/Hop")
	narrow := issued(mustAssume(t, s.URL, aSan, sts.AssumeRoleInput{RoleArn: hop, Policy: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::222222222222:role/Open"}]}`)}).Credentials)
	mustAssume(t, s.URL, narrow, sts.AssumeRoleInput{RoleArn: target("Open")})
	_, err := assume(t, s.URL, narrow, sts.AssumeRoleInput{RoleArn: target("Short")})
	wantCode(t, err, "AccessDenied")
}

func TestDecodeAuthorizationMessage(t *testing.T) {
	var last Call
	accounts := Example()
	accounts[0].Users[0].Inline = append(accounts[0].Users[0].Inline, InlinePolicy{"d", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:DecodeAuthorizationMessage","Resource":"*"}]}`})
	s := StartTest(t, Options{Log: func(c Call) { last = c }}, accounts...)
	_, err := assume(t, s.URL, bSan, sts.AssumeRoleInput{RoleArn: target("Open")})
	wantCode(t, err, "AccessDenied")
	if last.Encoded == "" || len(last.Why) == 0 || !strings.Contains(strings.Join(last.Why, "\n"), "identity") {
		t.Fatalf("the log has %+v", last)
	}
	text := last.Encoded
	_, err = client(s.URL, bSan).DecodeAuthorizationMessage(t.Context(), &sts.DecodeAuthorizationMessageInput{EncodedMessage: &text})
	wantCode(t, err, "AccessDenied")
	out, err := client(s.URL, aSan).DecodeAuthorizationMessage(t.Context(), &sts.DecodeAuthorizationMessageInput{EncodedMessage: &text})
	if err != nil {
		t.Fatal(err)
	}
	var d decoded
	if err := json.Unmarshal([]byte(*out.DecodedMessage), &d); err != nil || d.Allowed || d.Context.Principal.ARN != "arn:aws:iam::111111111111:user/B-san" || d.Context.Action != "sts:AssumeRole" {
		t.Errorf("decoded %s", *out.DecodedMessage)
	}
	_, err = client(s.URL, aSan).DecodeAuthorizationMessage(t.Context(), &sts.DecodeAuthorizationMessageInput{EncodedMessage: aws.String(text[:40])})
	wantCode(t, err, "InvalidAuthorizationMessageException")
}
