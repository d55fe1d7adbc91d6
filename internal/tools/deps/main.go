// Command deps tells what a crossrole binary is made of: an SBOM (SPDX or CycloneDX), the licences of everything that
// is linked, and their notices. It reads the binary's own build information and the module cache: no network, and the
// same binary gives the same bytes.
//
//	deps sbom -format spdx|cyclonedx BINARY
//	deps licences
//	deps notices
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "deps:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	if len(args) == 0 {
		return errors.New("say one of: sbom, licences, notices")
	}
	switch args[0] {
	case "sbom":
		return sbom(args[1:], stdout)
	case "licences":
		return licences(stdout, released...)
	case "notices":
		return notices(stdout)
	}
	return fmt.Errorf("there is no %q: sbom, licences, notices", args[0])
}

func sbom(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("sbom", flag.ContinueOnError)
	format := flags.String("format", "spdx", "spdx or cyclonedx")
	output := flags.String("o", "", "file to write, instead of stdout")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("sbom takes one binary")
	}
	b, err := readBinary(flags.Arg(0))
	if err != nil {
		return err
	}
	var document []byte
	switch *format {
	case "spdx":
		document, err = b.spdx()
	case "cyclonedx":
		document, err = b.cyclonedx()
	default:
		err = fmt.Errorf("no format %q: spdx or cyclonedx", *format)
	}
	if err != nil {
		return err
	}
	if *output != "" {
		return os.WriteFile(*output, document, 0o644)
	}
	_, err = stdout.Write(document)
	return err
}

// licences prints a line per linked module and fails if one may not be shipped.
func licences(stdout io.Writer, systems ...string) error {
	modules, err := linkedModules(systems...)
	if err != nil {
		return err
	}
	var refused []string
	for _, m := range modules {
		fmt.Fprintf(stdout, "%-14s %s %s\n", m.Licence, m.Path, m.Version)
		if !mayShip(m.Licence) {
			refused = append(refused, m.Path)
		}
	}
	if len(refused) > 0 {
		return fmt.Errorf("no licence to ship, or none that is known here: %s", strings.Join(refused, ", "))
	}
	return nil
}

// notices prints the licence texts that must go with the binary.
func notices(stdout io.Writer) error {
	modules, err := linkedModules(released...)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, "crossrole contains the following modules, under their own licences.")
	for _, m := range modules {
		fmt.Fprintf(stdout, "\n%s\n%s %s (%s)\n\n%s\n", strings.Repeat("=", 78), m.Path, m.Version, m.Licence, strings.TrimSpace(m.Text))
	}
	return nil
}
