package disk

import (
	"errors"
	"os"
	"path/filepath"
)

// maxLinks is how many symbolic links are followed, as Linux does.
const maxLinks = 40

// FollowLinks gives the file that a path stands for, which need not exist. A
// link that a stranger put into a folder that is everybody's is refused.
func FollowLinks(path string) (string, error) {
	for range maxLinks {
		target, err := os.Readlink(path)
		if err != nil {
			return path, nil //nolint:nilerr // no link: this is the file
		}
		if err := checkLink(path); err != nil {
			return "", err
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return "", errors.New("too many symbolic links")
}
