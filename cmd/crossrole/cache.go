package main

import (
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"crossrole/internal/assume"
	"crossrole/internal/cache"
	"crossrole/internal/cache/sealed"
	"crossrole/internal/output/table"
	"crossrole/internal/remember"
)

func newCacheCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "See and clear what is kept",
		Long: `Sessions are kept for all processes of this user until shortly before they
expire, in CROSSROLE_CACHE_DIR (default: crossrole in the user's cache folder).
CROSSROLE_CACHE says how: auto (the system's protection where there is one),
keyring (that or nothing), file (mode 0600, nothing else) or off.`,
		Example: `  crossrole cache list
  crossrole cache clear prod`,
		Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCacheList(a), newCacheClear(a))
	return cmd
}

func newCacheList(a *app) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the kept sessions: who, until when, never the secret",
		Example: `  crossrole cache list
  crossrole cache list --format json`,
		Args: noMoreThan(0, "argument"),
		RunE: func(*cobra.Command, []string) error {
			if err := checkFormat(format, "text", "json"); err != nil {
				return err
			}
			return listCache(a, format)
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	return cmd
}

// cacheListing is the documented shape of `cache list --format json`.
type cacheListing struct {
	Version    int             `json:"version"`
	Folder     string          `json:"folder"`
	Protection string          `json:"protection"`       // what protects new entries
	Reason     string          `json:"reason,omitempty"` // why it is not the system's, if it was to be
	Sessions   []cachedSession `json:"sessions"`
}

type cachedSession struct {
	Profile    string    `json:"profile"`
	Who        string    `json:"who"`
	Made       time.Time `json:"made"`
	Expires    time.Time `json:"expires"`
	Expired    bool      `json:"expired"`
	Protection string    `json:"protection"`
	Key        string    `json:"key"`
}

func listCache(a *app, format string) error {
	store, folder, err := a.mustOpenCache()
	if err != nil {
		return err
	}
	listing := cacheListing{Version: 1, Folder: folder, Sessions: []cachedSession{}}
	protection, why, err := store.Protection()
	listing.Protection = protection.String()
	switch {
	case err != nil:
		listing.Protection, listing.Reason = "none", err.Error()
	case why != nil:
		listing.Reason = why.Error()
	}
	kept, refused := store.Folder(sessionsFolder).List()
	for _, l := range kept {
		listing.Sessions = append(listing.Sessions, cachedSession{
			Profile: l.Profile, Who: l.Who, Made: l.Made, Expires: l.Expires, Expired: !a.now().Before(l.Expires),
			Protection: l.Protection.String(), Key: l.Key,
		})
	}
	if refused != nil {
		return withHints(refused, cacheHint)
	}
	if format == "json" {
		enc := json.NewEncoder(a.out)
		enc.SetIndent("", "  ")
		return enc.Encode(listing)
	}
	return listing.print(a)
}

const cacheHint = "look at it, then `crossrole cache clear` or remove it"

func (l cacheListing) print(a *app) error {
	reason := ""
	if l.Reason != "" {
		reason = " (" + clean(l.Reason) + ")"
	}
	if _, err := io.WriteString(a.out, "folder: "+clean(l.Folder)+"\nprotection: "+l.Protection+reason+"\n"); err != nil {
		return err
	}
	if len(l.Sessions) == 0 {
		_, err := io.WriteString(a.out, "no sessions\n")
		return err
	}
	columns := []table.Column{{Title: "PROFILE"}, {Title: "WHO", Shrink: true}, {Title: "UNTIL"}, {Title: "LEFT"}, {Title: "PROTECTION"}}
	var rows [][]string
	for _, s := range l.Sessions {
		left := "expired"
		if !s.Expired {
			left = assume.Spell(s.Expires.Sub(a.now()))
		}
		who := s.Who
		if who == "" { // GetSessionToken does not say whose session it gives
			who = "(an MFA session)"
		}
		rows = append(rows, []string{s.Profile, who, s.Expires.UTC().Format(time.RFC3339), left, s.Protection})
	}
	_, err := io.WriteString(a.out, table.Render(columns, rows, a.width()))
	return err
}

func newCacheClear(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "clear [PROFILE]",
		Short: "Forget the kept sessions, of one profile or all",
		Example: `  crossrole cache clear
  crossrole cache clear prod`,
		Args: noMoreThan(1, "profile"),
		RunE: func(_ *cobra.Command, args []string) error {
			store, _, err := a.mustOpenCache()
			if err != nil {
				return err
			}
			return clearCache(a, store, args)
		},
	}
}

func clearCache(a *app, store *cache.Store, args []string) error {
	var which func(cache.Listed) bool
	of := ""
	if len(args) > 0 {
		which = func(l cache.Listed) bool { return l.Profile == args[0] }
		of = " of profile " + strconv.Quote(args[0])
	}
	// The answers go first: they would be served for as long as the sessions are there.
	_, memoErr := store.Folder(remember.Folder).Clear(which)
	n, err := store.Folder(sessionsFolder).Clear(which)
	if err := errors.Join(memoErr, err); err != nil {
		return err
	}
	if n == 0 && len(args) > 0 {
		if err := a.knownProfile(args[0]); err != nil {
			return err
		}
	}
	noun := " sessions"
	if n == 1 {
		noun = " session"
	}
	a.say("forgot " + strconv.Itoa(n) + noun + of)
	return nil
}

// knownProfile tells a name that was mistyped from one with nothing to forget.
func (a *app) knownProfile(name string) error {
	set, err := a.profiles()
	if err == nil {
		_, err = set.Profile(name)
	}
	return err
}

// mustOpenCache opens the cache for a command that is about it.
func (a *app) mustOpenCache() (store *cache.Store, folder string, err error) {
	store, err = a.openCache()
	if err != nil {
		return nil, "", err
	}
	if store == nil {
		return nil, "", &configError{Why: "the cache is off (CROSSROLE_CACHE=off)", Advice: []string{"unset CROSSROLE_CACHE to use it"}}
	}
	folder, err = sealed.Root(a.getenv)
	return store, folder, err
}
