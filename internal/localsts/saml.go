package localsts

import (
	"crypto/sha1" // NameQualifier is defined by it; nothing is protected by it
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"crossrole/internal/policy"
	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"
)

const (
	samlNS       = "urn:oasis:names:tc:SAML:2.0:assertion"
	samlProtocol = "urn:oasis:names:tc:SAML:2.0:protocol"
	samlSuccess  = "urn:oasis:names:tc:SAML:2.0:status:Success"
	samlAudience = "https://signin.aws.amazon.com/saml"
	samlURN      = "urn:amazon:webservices"
	samlAttr     = "https://aws.amazon.com/SAML/Attributes/"
	samlSkew     = 5 * time.Minute
)

// assertion is the part of a verified SAML assertion that STS reads.
type assertion struct {
	Issuer  string `xml:"urn:oasis:names:tc:SAML:2.0:assertion Issuer"`
	Subject struct {
		NameID struct {
			Format string `xml:",attr"`
			Value  string `xml:",chardata"`
		} `xml:"urn:oasis:names:tc:SAML:2.0:assertion NameID"`
		Confirmation []struct {
			Data struct {
				Recipient    string `xml:",attr"`
				NotOnOrAfter string `xml:",attr"`
			} `xml:"urn:oasis:names:tc:SAML:2.0:assertion SubjectConfirmationData"`
		} `xml:"urn:oasis:names:tc:SAML:2.0:assertion SubjectConfirmation"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:assertion Subject"`
	Conditions struct {
		NotBefore    string   `xml:",attr"`
		NotOnOrAfter string   `xml:",attr"`
		Audience     []string `xml:"urn:oasis:names:tc:SAML:2.0:assertion AudienceRestriction>Audience"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:assertion Conditions"`
	Attributes []struct {
		Name   string   `xml:",attr"`
		Values []string `xml:"urn:oasis:names:tc:SAML:2.0:assertion AttributeValue"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:assertion AttributeStatement>Attribute"`
}

func (a *assertion) attribute(name string) []string {
	var out []string
	for _, x := range a.Attributes {
		if x.Name == samlAttr+name {
			for _, v := range x.Values {
				out = append(out, strings.TrimSpace(v))
			}
		}
	}
	return out
}

func (a *assertion) first(name string) string {
	if v := a.attribute(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

func (s *Server) assumeRoleWithSAML(c *call) ([]node, *apiError) {
	p := &params{form: c.form}
	roleARN, providerARN := p.need("RoleArn", ruleARN), p.need("PrincipalArn", ruleARN)
	text := p.need("SAMLAssertion", rule{min: 4, max: 100000, sensitive: true})
	g := &grant{}
	g.seconds = p.number("DurationSeconds", 900, 43200, 3600)
	g.readPolicies(p)
	if err := p.err(); err != nil {
		return nil, err
	}
	provider := s.world.samlProvider(providerARN)
	if provider == nil {
		return nil, invalidIdentity("Specified provider doesn't exist (Service: AWSOpenIdDiscoveryService; Status Code: 400; Error Code: AuthSamlInvalidSamlResponseException)")
	}
	a, apiErr := verifySAML(text, provider, c.now)
	if apiErr != nil {
		return nil, apiErr
	}
	if apiErr := g.readAssertion(a, roleARN, providerARN, c.form.Has("DurationSeconds")); apiErr != nil {
		return nil, apiErr
	}
	g.federated = providerARN
	if apiErr := s.decideAssume(c, g, roleARN, "sts:AssumeRoleWithSAML", a.conditions(s.assumeContext(c, g, false), providerARN)); apiErr != nil {
		return nil, apiErr
	}
	if apiErr := g.checkDuration(); apiErr != nil {
		return nil, apiErr
	}
	out, apiErr := s.handOut(c, g)
	if apiErr != nil {
		return nil, apiErr
	}
	return append(out, tx("Subject", a.Subject.NameID.Value), tx("SubjectType", a.subjectType()), tx("Issuer", a.Issuer),
		tx("Audience", a.recipient()), tx("NameQualifier", a.nameQualifier(providerARN))), nil
}

func (w *World) samlProvider(arn string) *SAMLProvider {
	p, ok := splitARN(arn)
	if !ok || w.accounts[p.account] == nil {
		return nil
	}
	list := w.accounts[p.account].SAML
	if i := slices.IndexFunc(list, func(x *SAMLProvider) bool { return x.ARN == arn }); i >= 0 {
		return list[i]
	}
	return nil
}

// readAssertion takes over what the identity provider says of the session.
func (g *grant) readAssertion(a *assertion, roleARN, providerARN string, asked bool) *apiError {
	if !slices.ContainsFunc(a.attribute("Role"), func(v string) bool { return isPair(v, roleARN, providerARN) }) {
		return accessDenied("Not authorized to perform sts:AssumeRoleWithSAML")
	}
	g.sessionName, g.sourceIdentity = a.first("RoleSessionName"), a.first("SourceIdentity")
	if n := len(g.sessionName); n < 2 || n > 64 || !reSessionName().MatchString(g.sessionName) {
		return invalidIdentity("RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}")
	}
	if n, ok := a.duration(); ok && (!asked || n < g.seconds) { // the shorter of the two (STS API reference)
		g.seconds = n
	}
	for _, x := range a.Attributes {
		if k, ok := strings.CutPrefix(x.Name, samlAttr+"PrincipalTag:"); ok && len(x.Values) > 0 {
			g.tags = append(g.tags, Tag{k, strings.TrimSpace(x.Values[0])})
		}
	}
	g.transitive = a.attribute("TransitiveTagKeys")
	return g.checkTags(nil)
}

// isPair tells whether "x,y" is the two ARNs, in either order.
func isPair(v, one, two string) bool {
	x, y, _ := strings.Cut(v, ",")
	x, y = strings.TrimSpace(x), strings.TrimSpace(y)
	return x == one && y == two || x == two && y == one
}

// duration is the provider's SessionDuration, if it is a valid one.
func (a *assertion) duration() (int, bool) {
	n, err := strconv.Atoi(a.first("SessionDuration"))
	return n, err == nil && n >= 900 && n <= 43200
}

func (a *assertion) recipient() string {
	for _, c := range a.Subject.Confirmation {
		if c.Data.Recipient != "" {
			return c.Data.Recipient
		}
	}
	return ""
}

func (a *assertion) subjectType() string {
	short := a.Subject.NameID.Format
	if i := strings.LastIndexByte(short, ':'); strings.HasPrefix(short, "urn:oasis:names:tc:SAML:") {
		return short[i+1:]
	}
	return short
}

func (a *assertion) nameQualifier(providerARN string) string {
	p, _ := splitARN(providerARN)
	sum := sha1.Sum([]byte(a.Issuer + p.account + strings.TrimPrefix(p.resource, "saml-provider")))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (a *assertion) conditions(ctx policy.Context, providerARN string) policy.Context {
	p, _ := splitARN(providerARN)
	for k, v := range map[string]string{
		"saml:aud": a.recipient(), "saml:iss": a.Issuer, "saml:sub": a.Subject.NameID.Value, "saml:sub_type": a.subjectType(),
		"saml:namequalifier": a.nameQualifier(providerARN), "saml:doc": p.account + strings.TrimPrefix(p.resource, "saml-provider"),
		"aws:FederatedProvider": providerARN,
	} {
		ctx[k] = policy.One(v)
	}
	return ctx
}

// verifySAML checks a SAML response against the provider's metadata. Only what the signature covers is read.
func verifySAML(text string, p *SAMLProvider, now time.Time) (*assertion, *apiError) {
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, invalidIdentity("Invalid base64 SAMLResponse")
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(raw); err != nil || doc.Root() == nil || tooDeep(doc.Root(), 0) {
		return nil, invalidIdentity("Invalid SAMLResponse")
	}
	entity, certs := readMetadata(p.Metadata)
	signed, err := signedAssertion(doc.Root(), certs, now)
	if err != nil {
		return nil, invalidIdentity("Response signature invalid")
	}
	a := &assertion{}
	out := etree.NewDocument()
	out.SetRoot(signed)
	b, err := out.WriteToBytes()
	if err != nil || xml.Unmarshal(b, a) != nil {
		return nil, invalidIdentity("Invalid SAMLResponse")
	}
	a.Issuer = strings.TrimSpace(a.Issuer)
	if entity == "" || a.Issuer != entity {
		return nil, invalidIdentity("Issuer not present in specified provider")
	}
	return a, a.judge(now)
}

const maxXMLDepth = 100

func tooDeep(e *etree.Element, depth int) bool {
	return depth > maxXMLDepth || slices.ContainsFunc(e.ChildElements(), func(k *etree.Element) bool { return tooDeep(k, depth+1) })
}

var errNotSigned = errors.New("no signed assertion")

// signedAssertion returns the assertion as the verifier rebuilt it from the signed bytes: of a signed response, or signed itself.
func signedAssertion(root *etree.Element, certs []*x509.Certificate, now time.Time) (*etree.Element, error) {
	ctx := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: certs})
	ctx.Clock = dsig.NewFakeClockAt(now)
	if root.NamespaceURI() != samlProtocol || root.Tag != "Response" {
		return nil, errNotSigned
	}
	if code, err := etreeutils.NSSelectOne(root, samlProtocol, "StatusCode"); err != nil || code == nil || code.SelectAttrValue("Value", "") != samlSuccess {
		return nil, errNotSigned
	}
	if whole, err := ctx.Validate(root); err == nil {
		return onlyAssertion(whole)
	}
	found, err := onlyAssertion(root)
	if err != nil {
		return nil, err
	}
	return ctx.Validate(found)
}

// onlyAssertion detaches the one assertion that is a child of the response.
func onlyAssertion(root *etree.Element) (*etree.Element, error) {
	var found []*etree.Element
	err := etreeutils.NSFindIterate(root, samlNS, "Assertion", func(ctx etreeutils.NSContext, e *etree.Element) error {
		if e.Parent() != root {
			return errNotSigned
		}
		d, err := etreeutils.NSDetatch(ctx, e)
		found = append(found, d)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, errNotSigned
	}
	return found[0], nil
}

// judge checks times, recipient and audience.
func (a *assertion) judge(now time.Time) *apiError {
	for _, limit := range append([]string{a.Conditions.NotOnOrAfter}, a.confirmedUntil()...) {
		if t, err := time.Parse(time.RFC3339, limit); limit != "" && (err != nil || !now.Before(t)) {
			return badRequest("ExpiredTokenException", "Token must be redeemed within 5 minutes of issuance")
		}
	}
	if t, err := time.Parse(time.RFC3339, a.Conditions.NotBefore); a.Conditions.NotBefore != "" && (err != nil || now.Add(samlSkew).Before(t)) {
		return invalidIdentity("Token is not yet valid")
	}
	if len(a.confirmedUntil()) == 0 || a.recipient() != samlAudience {
		return invalidIdentity("Response does not contain the required audience.")
	}
	if aud := a.Conditions.Audience; len(aud) > 0 && !slices.Contains(aud, samlURN) && !slices.Contains(aud, samlAudience) {
		return invalidIdentity("Response does not contain the required audience.")
	}
	return nil
}

func (a *assertion) confirmedUntil() (out []string) {
	for _, c := range a.Subject.Confirmation {
		if c.Data.NotOnOrAfter != "" {
			out = append(out, c.Data.NotOnOrAfter)
		}
	}
	return out
}

// metadata is an identity provider's metadata document.
type metadata struct {
	EntityID string `xml:"entityID,attr"`
	Keys     []struct {
		Use   string   `xml:"use,attr"`
		Certs []string `xml:"KeyInfo>X509Data>X509Certificate"`
	} `xml:"IDPSSODescriptor>KeyDescriptor"`
}

func readMetadata(text string) (entity string, certs []*x509.Certificate) {
	var m metadata
	if xml.Unmarshal([]byte(text), &m) != nil {
		return "", nil
	}
	for _, k := range m.Keys {
		if k.Use != "" && k.Use != "signing" {
			continue
		}
		for _, c := range k.Certs {
			der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(c), ""))
			if err != nil {
				continue
			}
			if cert, err := x509.ParseCertificate(der); err == nil {
				certs = append(certs, cert)
			}
		}
	}
	return m.EntityID, certs
}
