package each

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// How many jobs a matrix may have. Sources: GitHub's "Usage limits" of Actions,
// GitLab's CI/CD YAML reference on parallel:matrix.
const (
	githubMatrixMost = 256
	gitlabMatrixMost = 200
)

// WriteMatrix prints the parts for a CI system to make jobs of, of about
// perShard accounts each: GitHub's matrix as JSON, or GitLab's child pipeline as
// YAML.
func WriteMatrix(w io.Writer, targets []Target, perShard int, gitlab bool) error {
	accounts := map[string]bool{}
	for _, t := range targets {
		accounts[t.shardKey()] = true
	}
	most := githubMatrixMost
	if gitlab {
		most = gitlabMatrixMost
	}
	n := min(max((len(accounts)+perShard-1)/perShard, 1), most)
	sizes := make([]int, n)
	for account := range accounts {
		for k := range sizes {
			if (Shard{k + 1, n}).has(account) {
				sizes[k]++
			}
		}
	}
	if gitlab {
		return writeGitLabMatrix(w, n)
	}
	type part struct {
		Shard    string `json:"shard"`
		Accounts int    `json:"accounts"`
	}
	matrix := struct {
		Include []part `json:"include"`
	}{Include: []part{}}
	for k, size := range sizes {
		matrix.Include = append(matrix.Include, part{fmt.Sprintf("%d/%d", k+1, n), size})
	}
	return json.NewEncoder(w).Encode(matrix)
}

func writeGitLabMatrix(w io.Writer, n int) error {
	var b strings.Builder
	b.WriteString("parallel:\n  matrix:\n    - CROSSROLE_SHARD:\n")
	for k := range n {
		fmt.Fprintf(&b, "        - \"%d/%d\"\n", k+1, n)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
