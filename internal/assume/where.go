package assume

import (
	"errors"
	"net/url"
	"strings"

	"crossrole/internal/profile"
)

var regionForm = newForm(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// whereOf decides region and endpoint: flag, environment, profile, and last
// the partition of the role.
func whereOf(s profile.Settings, o Overrides, role ARN) (Where, error) {
	override(&s.Region, "--region", o.Region)
	override(&s.Endpoint, "--endpoint-url", o.Endpoint)
	w := Where{Region: s.Region.Text, RegionFrom: s.Region.Origin, Endpoint: s.Endpoint.Text, EndpointFrom: s.Endpoint.Origin, CABundle: s.CABundle.Text}
	if w.Endpoint != "" {
		if err := checkEndpoint(w.Endpoint); err != nil {
			return Where{}, invalid("", "endpoint_url", s.Endpoint, err)
		}
	}
	if err := w.setRegion(s.Region, role); err != nil {
		return Where{}, err
	}
	return w, w.setModes(s)
}

func (w *Where) setRegion(region profile.Value, role ARN) error {
	if w.Region == "" {
		w.Region, w.RegionFrom = homeRegion(role.Partition), profile.Origin{}
		return nil
	}
	if len(w.Region) > 64 || !regionForm.MatchString(w.Region) {
		return invalid("", "region", region, errors.New("it is no name of a region, such as eu-west-1"))
	}
	if p := PartitionOf(w.Region); w.Endpoint == "" && role.Partition != "" && p != role.Partition {
		return invalid("", "region", region, errors.New("it is in partition "+p+", and the role is in "+role.Partition))
	}
	return nil
}

func (w *Where) setModes(s profile.Settings) error {
	switch strings.ToLower(s.RegionalEndpoints.Text) {
	case "", "regional":
	case "legacy":
		w.Global = true
	default:
		return invalid("", "sts_regional_endpoints", s.RegionalEndpoints, errors.New(`it must be "regional" or "legacy"`))
	}
	for _, f := range []struct {
		field string
		value profile.Value
		to    *bool
	}{
		{"use_fips_endpoint", s.UseFIPS, &w.FIPS},
		{"use_dualstack_endpoint", s.UseDualstack, &w.Dualstack},
	} {
		switch strings.ToLower(f.value.Text) {
		case "", "false":
		case "true":
			*f.to = true
		default:
			return invalid("", f.field, f.value, errors.New(`it must be "true" or "false"`))
		}
	}
	return nil
}

func checkEndpoint(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil {
		return errors.New("it must be a URL such as https://sts.eu-west-1.amazonaws.com")
	}
	return nil
}
