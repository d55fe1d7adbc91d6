//go:build interop

package interop

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// awsFiles is one generated pair of AWS files and the profiles to ask for.
type awsFiles struct {
	config, credentials string
	profiles            []string
	role                map[string]string // each profile's section in the config file
	// readersDiffer: the AWS CLI refuses the files (a section or key twice), or finds no such profile (blanks within the
	// brackets), where the SDKs, and we, answer.
	readersDiffer bool
}

// names are profile names as the AWS CLI accepts them, with the header that it reads as that name. Dots, slashes and
// signs are here because some readers give them a meaning.
var names = []struct{ name, header string }{
	{"dev", "profile dev"},
	{"prod", "profile\tprod"},
	{"team.prod", "profile team.prod"},
	{"team", "profile   team"},
	{"team.prod.eu", "profile team.prod.eu"},
	{"a/b", "profile a/b"},
	{"me@example.org", "profile me@example.org"},
	{"x%y", "profile x%y"},
	{"c:1+2", "profile c:1+2"},
	{"A B", `profile "A B"`},
	{"it's", `profile "it's"`},
	{"Dev", "profile Dev"},
	{"日本", "profile 日本"},
	{"default", "default"},
	{"12345", "profile 12345"},
	{"profile", "profile profile"},
	{"-", "profile -"},
}

// generator writes AWS files that are legal and as unpleasant as people's own.
type generator struct {
	r     *rand.Rand
	files awsFiles
}

func generate(seed uint64) awsFiles {
	g := &generator{r: rand.New(rand.NewPCG(seed, 17)), files: awsFiles{role: map[string]string{}}}
	var config, credentials strings.Builder
	order := g.r.Perm(len(names))[:3+g.r.IntN(8)]
	for i, n := range order {
		g.files.profiles = append(g.files.profiles, names[n].name)
		if g.chance(8) {
			config.WriteString("# [profile " + names[n].name + "] is below\n")
		}
		section := g.section(names[n].header, g.properties(order, i))
		g.files.role[names[n].name] = section
		config.WriteString(section)
		if g.chance(4) {
			credentials.WriteString(g.section(names[n].name, g.keys(names[n].name, "cred")))
		}
		if g.chance(40) {
			config.WriteString(g.section(names[n].header, g.role(order)))
			g.files.readersDiffer = true
		}
	}
	if g.chance(10) {
		section := g.section("profile default", g.properties(order, 0))
		g.files.role["default"] = section // it replaces [default], wherever that stands
		config.WriteString(section)
		g.files.profiles = append(g.files.profiles, "default")
	}
	g.files.config, g.files.credentials = config.String(), credentials.String()
	if g.chance(6) {
		g.files.config = strings.ReplaceAll(g.files.config, "\n", "\r\n")
	}
	return g.files
}

func (g *generator) chance(oneIn int) bool { return g.r.IntN(oneIn) == 0 }

func (g *generator) pick(texts ...string) string { return texts[g.r.IntN(len(texts))] }

// properties makes a profile a user, a role, both, or nothing much.
func (g *generator) properties(order []int, self int) []string {
	name := names[order[self]].name
	var lines []string
	switch g.r.IntN(10) {
	case 0, 1, 2:
		lines = g.keys(name, "conf")
	case 3:
		lines = append(g.keys(name, "conf"), g.role(order)...)
	case 4:
		lines = append(g.keys(name, "conf"), g.arn("self"), "source_profile = "+name)
	case 5:
		lines = []string{g.arn("meta"), "credential_source = " + g.pick("Ec2InstanceMetadata", "EcsContainer", "Environment", "ec2instancemetadata", "Nowhere")}
	case 6:
		if g.chance(2) {
			lines = []string{"output = json"}
		} else {
			lines = []string{g.arn("lonely")}
		}
	default:
		lines = g.role(order)
	}
	return append(lines, g.extras()...)
}

// keys are long-term keys whose id says where they stand.
func (g *generator) keys(name, file string) []string {
	id := fmt.Sprintf("KEY-%s-%s", file, strings.ReplaceAll(name, " ", "_"))
	lines := []string{"aws_access_key_id = " + id, "aws_secret_access_key = " + g.pick("secret", "a#b;c", "abc%def", "x=y==", `q"uo'te`)}
	if g.chance(6) {
		lines = append(lines, "aws_session_token = token")
	}
	if g.chance(12) {
		lines = lines[:1] // half a pair
	}
	return lines
}

func (g *generator) arn(kind string) string {
	return fmt.Sprintf("role_arn = arn:aws:iam::%012d:role/%s-%d", g.r.IntN(1_000_000), kind, g.r.IntN(1000))
}

// role is a hop to another profile, which may not be there, or lead back here.
func (g *generator) role(order []int) []string {
	source := names[order[g.r.IntN(len(order))]].name
	if g.chance(15) {
		source = g.pick("missing", "DEV", "", `"A B"`)
	}
	lines := []string{g.arn("role"), "source_profile = " + source}
	if g.chance(3) {
		lines = append(lines, "external_id = "+g.pick("ExternalId123", "a@b", "x=y,z", "12:34/56", "same"))
	}
	if g.chance(3) {
		lines = append(lines, fmt.Sprintf("duration_seconds = %d", 900+60*g.r.IntN(45)))
	}
	if g.chance(4) {
		lines = append(lines, "role_session_name = "+g.pick("me", "a.b@c", "build-7"))
	}
	if g.chance(6) {
		lines = append(lines, "mfa_serial = arn:aws:iam::111111111111:mfa/me")
	}
	return lines
}

// extras are properties that decide nothing, or must not.
func (g *generator) extras() []string {
	var lines []string
	add := func(oneIn int, text ...string) {
		if g.chance(oneIn) {
			lines = append(lines, text...)
		}
	}
	add(3, "region = "+g.pick("eu-west-1", "us-east-2", "ap-northeast-1"))
	add(6, "s3 =", "    role_arn = arn:aws:iam::999999999999:role/nested", "    source_profile = nested", "    addressing_style = path")
	add(6, "unknown_key = [profile evil]", "cli_pager =")
	add(8, "description = first line", "    role_arn = arn:aws:iam::999999999999:role/continued")
	add(8, "remark = %(role_arn)s ${HOME} \\")
	add(10, "; source_profile = commented", "# role_arn = arn:aws:iam::999999999999:role/commented")
	return lines
}

// section lays the lines out as carelessly as people do.
func (g *generator) section(header string, lines []string) string {
	var b strings.Builder
	b.WriteString(g.pick("", "", "", "\n", "\n\n", "   \n"))
	before, after := "", ""
	if g.chance(60) {
		before = " "
	}
	if strings.HasPrefix(header, "profile") {
		after = g.pick("", "", "", " ", "\t")
	} else if g.chance(60) {
		after = " "
	}
	comment := g.pick("", "", "", "  ", " # see default", " ; x")
	if g.chance(60) {
		comment = " # see [default]"
	}
	// The SDKs, and we, read these as the name alone: where the AWS CLI finds no such profile we may answer.
	if before != "" || strings.Contains(comment, "]") || after != "" && !strings.HasPrefix(header, "profile") {
		g.files.readersDiffer = true
	}
	b.WriteString("[" + before + header + after + "]" + comment + "\n")
	for _, line := range lines {
		key, value, ok := strings.Cut(line, " = ")
		if !ok || strings.HasPrefix(line, " ") || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			b.WriteString(line + "\n")
			continue
		}
		if g.chance(8) {
			key = strings.ToUpper(key)
		}
		b.WriteString(key + g.pick(" = ", "=", " =", "= ", "\t=\t") + value + g.pick("", "", "", " ", "\t") + "\n")
		b.WriteString(g.pick("", "", "", "", "", "# a comment\n", "\n"))
	}
	return b.String()
}
