package main

import "github.com/fatih/color"

// painter colours words for a person. A painter that is off leaves them alone.
type painter struct{ on bool }

// painter colours only what a person sees at once: stdout on a terminal that wants colour (https://no-color.org).
func (a *app) painter() painter {
	return painter{on: a.outIsTerminal() && a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb"}
}

func (p painter) paint(text string, attributes ...color.Attribute) string {
	c := color.New(attributes...)
	if p.on {
		c.EnableColor()
	} else {
		c.DisableColor()
	}
	return c.Sprint(text)
}

func (p painter) Good(text string) string  { return p.paint(text, color.FgGreen, color.Bold) }
func (p painter) Bad(text string) string   { return p.paint(text, color.FgRed, color.Bold) }
func (p painter) Doubt(text string) string { return p.paint(text, color.FgYellow, color.Bold) }
func (p painter) Head(text string) string  { return p.paint(text, color.Bold) }
func (p painter) Quiet(text string) string { return p.paint(text, color.Faint) }
