package iamread

import (
	"context"
	"encoding/json"
	"net/url"
)

// snapshot is an account's details with what AWS tells beside them.
type snapshot struct {
	kept
	OpenIDConnectProviderList []oidcJSON `json:",omitempty"`
	SAMLProviderList          []samlJSON `json:",omitempty"`
}

type oidcJSON struct {
	Arn          string
	Url          string
	ClientIDList []string `xml:"ClientIDList>member"`
}

type samlJSON struct{ Arn, SAMLMetadataDocument string }

// Snapshot reads an account whole: the details, in the JSON form of `aws iam get-account-authorization-details`, and what
// they leave out (how long roles' sessions may last, MFA devices, identity providers). Of the latter, what may not be read is
// named in missing. The error is an [*APIError], or that of the connection.
func (c *Client) Snapshot(ctx context.Context) (text []byte, missing []string, err error) {
	var s snapshot
	if err := c.walk(ctx, []string{"User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"}, func(p *detailsPage) bool {
		s.UserDetailList = append(s.UserDetailList, p.UserDetailList...)
		s.RoleDetailList = append(s.RoleDetailList, p.RoleDetailList...)
		s.GroupDetailList = append(s.GroupDetailList, p.GroupDetailList...)
		s.Policies = append(s.Policies, p.Policies...)
		return true
	}); err != nil {
		return nil, nil, err
	}
	for what, read := range map[string]func(context.Context, *snapshot) error{
		"how long the roles' sessions may last (an hour is assumed)": c.addDurations,
		"MFA devices": c.addDevices, "OpenID Connect providers": c.addOIDC, "SAML providers": c.addSAML,
	} {
		if err := read(ctx, &s); err != nil {
			missing = append(missing, what+": "+err.Error())
		}
	}
	text, err = json.Marshal(s)
	return text, missing, err
}

type roleXML struct {
	RoleName           string
	MaxSessionDuration int
}

func (c *Client) addDurations(ctx context.Context, s *snapshot) error {
	longest := map[string]int{}
	params := url.Values{}
	for range maxPages {
		var page struct {
			Roles       []roleXML `xml:"Roles>member"`
			IsTruncated bool
			Marker      string
		}
		if err := c.iam(ctx, "ListRoles", params, &page); err != nil {
			return err
		}
		for _, r := range page.Roles {
			longest[r.RoleName] = r.MaxSessionDuration
		}
		if !page.IsTruncated || page.Marker == "" {
			break
		}
		params.Set("Marker", page.Marker)
	}
	for i := range s.RoleDetailList {
		s.RoleDetailList[i].MaxSessionDuration = longest[s.RoleDetailList[i].RoleName]
	}
	return nil
}

type deviceXML struct {
	SerialNumber string
	User         struct{ Arn string }
}

func (c *Client) addDevices(ctx context.Context, s *snapshot) error {
	of := map[string][]mfaJSON{}
	params := url.Values{"AssignmentStatus": {"Assigned"}}
	for range maxPages {
		var page struct {
			VirtualMFADevices []deviceXML `xml:"VirtualMFADevices>member"`
			IsTruncated       bool
			Marker            string
		}
		if err := c.iam(ctx, "ListVirtualMFADevices", params, &page); err != nil {
			return err
		}
		for _, d := range page.VirtualMFADevices {
			of[d.User.Arn] = append(of[d.User.Arn], mfaJSON{d.SerialNumber})
		}
		if !page.IsTruncated || page.Marker == "" {
			break
		}
		params.Set("Marker", page.Marker)
	}
	for i := range s.UserDetailList {
		s.UserDetailList[i].MFADevices = of[s.UserDetailList[i].Arn]
	}
	return nil
}

type arnXML struct{ Arn string }

func (c *Client) addOIDC(ctx context.Context, s *snapshot) error {
	var list struct {
		Providers []arnXML `xml:"OpenIDConnectProviderList>member"`
	}
	if err := c.iam(ctx, "ListOpenIDConnectProviders", url.Values{}, &list); err != nil {
		return err
	}
	for _, p := range list.Providers {
		var one oidcJSON
		if err := c.iam(ctx, "GetOpenIDConnectProvider", url.Values{"OpenIDConnectProviderArn": {p.Arn}}, &one); err != nil {
			return err
		}
		one.Arn = p.Arn
		s.OpenIDConnectProviderList = append(s.OpenIDConnectProviderList, one)
	}
	return nil
}

func (c *Client) addSAML(ctx context.Context, s *snapshot) error {
	var list struct {
		Providers []arnXML `xml:"SAMLProviderList>member"`
	}
	if err := c.iam(ctx, "ListSAMLProviders", url.Values{}, &list); err != nil {
		return err
	}
	for _, p := range list.Providers {
		var one samlJSON
		if err := c.iam(ctx, "GetSAMLProvider", url.Values{"SAMLProviderArn": {p.Arn}}, &one); err != nil {
			return err
		}
		one.Arn = p.Arn
		s.SAMLProviderList = append(s.SAMLProviderList, one)
	}
	return nil
}
