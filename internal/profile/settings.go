package profile

import (
	"path/filepath"
	"strings"
)

// settings reads what holds for every hop. Flags are not known here: they
// beat all of it.
func (s *Set) settings(p *Profile, visited []*Profile) (Settings, error) {
	endpoint, err := s.endpoint(p)
	if err != nil {
		return Settings{}, err
	}
	return Settings{
		Region:            s.region(visited),
		RegionalEndpoints: s.setting(p, "sts_regional_endpoints", "AWS_STS_REGIONAL_ENDPOINTS"),
		Endpoint:          endpoint,
		CABundle:          s.setting(p, "ca_bundle", "AWS_CA_BUNDLE"),
		UseFIPS:           s.setting(p, "use_fips_endpoint", "AWS_USE_FIPS_ENDPOINT"),
		UseDualstack:      s.setting(p, "use_dualstack_endpoint", "AWS_USE_DUALSTACK_ENDPOINT"),
	}, nil
}

// setting is the variable of the environment, and else the property.
func (s *Set) setting(p *Profile, key, variable string) Value {
	if v := fromEnv(s.env, variable); v.IsSet() {
		return v
	}
	if p == nil || p.Get(key).Text == "" {
		return Value{}
	}
	return p.Get(key)
}

// region is the environment's, the named profile's, or the first that one of
// its sources in order has.
func (s *Set) region(visited []*Profile) Value {
	if v := fromEnv(s.env, "AWS_REGION", "AWS_DEFAULT_REGION"); v.IsSet() {
		return v
	}
	for _, p := range visited {
		if v := p.Get(keyRegion); v.Text != "" {
			return v
		}
	}
	return Value{}
}

// endpoint is the configured URL of STS, unless configured ones are ignored
// (https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html).
func (s *Set) endpoint(p *Profile) (Value, error) {
	if ignored := s.setting(p, "ignore_configured_endpoint_urls", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"); strings.EqualFold(ignored.Text, "true") {
		return Value{}, nil
	}
	if v := fromEnv(s.env, "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"); v.IsSet() || p == nil {
		return v, nil
	}
	v, err := s.serviceEndpoint(p)
	if err != nil || v.IsSet() {
		return v, err
	}
	if v := p.Get("endpoint_url"); v.Text != "" {
		return v, nil
	}
	return Value{}, nil
}

func (s *Set) serviceEndpoint(p *Profile) (Value, error) {
	name := p.Get("services")
	if name.Text == "" {
		return Value{}, nil
	}
	block, sections, err := s.namedBlock(kindServices, name.Text)
	if err != nil {
		return Value{}, err
	}
	if len(sections) == 0 {
		return Value{}, configError(p, "services", ReasonMissingSection, "services "+quote(name.Text)+" names a section that does not exist").
			hint("add [services " + printable(name.Text) + "] to the config file")
	}
	if v := block.nested["sts"]["endpoint_url"]; v.Text != "" {
		return v, nil
	}
	return Value{}, nil
}

// besideFile makes the path of a property absolute: it is relative to the
// folder of the file that it stands in, and ~ is the home folder.
func (s *Set) besideFile(v Value) (Value, error) {
	if v.Text == "" {
		return v, nil
	}
	path, err := expandPath(v.Text, s.env, homeOf(s.env), v.Origin.String())
	if err != nil {
		return Value{}, err
	}
	if !filepath.IsAbs(path) && v.Origin.File != "" {
		path = filepath.Join(filepath.Dir(v.Origin.File), path)
	}
	return Value{Text: path, Origin: v.Origin}, nil
}
