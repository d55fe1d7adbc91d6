//go:build !unix

package disk

import (
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// foldersLock says that a lock leaves no file behind.
const foldersLock = false

const noWait = 0

// lockPlace is a file beside the target: a folder cannot be locked here.
func lockPlace(target string) (string, []flock.Option) {
	return filepath.Join(filepath.Dir(target), "."+filepath.Base(target)+".lock"), nil
}

func sameOwner(*os.File, fs.FileInfo) error { return nil }

func lockIsEverybodys(string) bool { return false }

func checkOld(fs.FileInfo) error { return nil }

func checkLink(string) error { return nil }
