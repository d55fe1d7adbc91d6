//go:build !windows

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"crossrole/internal/profile"
)

// files looks at modes and owners: who else can read a secret, and who can
// change what runs as this user (a credential_process).
func (d *doctor) files(files profile.Files) {
	before := len(d.found)
	d.file(files.Credentials, 0o077, "others can read or change it (mode %04o), and it is for secrets")
	if files.Config != "" && d.holdsSecret(files.Config) {
		d.file(files.Config, 0o077, "others can read or change it (mode %04o), and it holds a secret key")
	} else {
		d.file(files.Config, 0o022, "others can change it (mode %04o), and with a credential_process in it run programs as you")
	}
	for _, path := range []string{files.Config, files.Credentials} {
		if path != "" {
			d.folder(filepath.Dir(path))
		}
	}
	d.secretFolders()
	if len(d.found) == before {
		d.add(ailment{Kind: "files", Level: levelOK, Text: "the AWS files are nobody else's to read or change"})
	}
	if _, err := os.Stat(files.Config); files.Config != "" && errors.Is(err, fs.ErrNotExist) {
		d.add(ailment{Kind: "files", Level: levelNote, File: files.Config, Text: "there is no config file", Fix: "crossrole setup NAME writes a profile"})
	}
}

// file complains of bits that a file's mode must not have, and of its owner.
func (d *doctor) file(path string, banned fs.FileMode, text string) {
	if path == "" {
		return
	}
	info, err := os.Stat(path)
	if err != nil {
		d.unreadable(path, err)
		return
	}
	if !info.Mode().IsRegular() {
		return // reading it says what it is
	}
	d.owner(path, info)
	if bits := info.Mode().Perm(); bits&banned != 0 {
		f := ailment{Kind: "file_mode", Level: levelWrong, File: path, Text: fmt.Sprintf(text, bits), Fix: fmt.Sprintf("chmod %04o %s", bits&^banned, shellWord(path))}
		f.repair = repairMode(path, banned)
		d.add(f)
	}
}

// unreadable says why a file that is there can't be looked at. A missing one is
// nothing, but for a link that leads nowhere.
func (d *doctor) unreadable(path string, err error) {
	_, link := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) && link != nil {
		return
	}
	d.add(ailment{Kind: "file_unreadable", Level: levelWrong, File: path, Text: "it can't be read: " + reasonOf(err), Fix: "mend the link or the modes on the way to it"})
}

func (d *doctor) folder(path string) {
	info, err := os.Stat(path)
	if err != nil {
		return
	}
	for _, f := range d.found {
		if f.Kind == "folder_mode" && f.File == path {
			return
		}
	}
	d.owner(path, info)
	if bits := info.Mode().Perm(); bits&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
		f := ailment{
			Kind: "folder_mode", Level: levelWrong, File: path, Text: fmt.Sprintf("others can put other files into the folder (mode %04o)", bits),
			Fix: fmt.Sprintf("chmod %04o %s", bits&^0o022, shellWord(path)),
		}
		f.repair = repairMode(path, 0o022)
		d.add(f)
	}
}

// owner complains of a file of another user, who can change it at any time.
func (d *doctor) owner(path string, info fs.FileInfo) {
	st, ok := info.Sys().(*syscall.Stat_t)
	me := os.Geteuid()
	if !ok || int(st.Uid) == me || st.Uid == 0 || me == 0 {
		return
	}
	d.add(ailment{
		Kind: "file_owner", Level: levelWrong, File: path, Text: "it belongs to another user (uid " + strconv.Itoa(int(st.Uid)) + ")",
		Fix: "sudo chown " + strconv.Itoa(me) + " " + shellWord(path),
	})
}

// maxCacheFiles is how many files of a cache are looked at.
const maxCacheFiles = 1000

// secretFolders looks at the caches of AWS clients.
func (d *doctor) secretFolders() {
	if d.home() == "" {
		return
	}
	for _, parts := range secretFolders {
		folder := filepath.Join(append([]string{d.home()}, parts...)...)
		entries, err := os.ReadDir(folder)
		if err != nil {
			continue
		}
		for _, entry := range entries[:min(len(entries), maxCacheFiles)] {
			if entry.Type().IsRegular() {
				d.file(filepath.Join(folder, entry.Name()), 0o077, "others can read or change it (mode %04o), and it holds a session or a token")
			}
		}
	}
}

// repairMode takes bits from a file's or folder's mode as it then is.
func repairMode(path string, banned fs.FileMode) func() error {
	return func() error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		return os.Chmod(path, info.Mode().Perm()&^banned)
	}
}
