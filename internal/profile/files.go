package profile

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"crossrole/internal/disk"
)

// MaxFileSize is the largest file that Load reads, in bytes. The largest
// files seen in the wild hold some ten thousand profiles in a few megabytes.
const MaxFileSize = 64 << 20

// Env looks a variable of the environment up; an unset one is empty.
type Env func(name string) string

// Files are the paths of the two shared files. An empty path stands for a
// file that does not exist.
type Files struct {
	Config      string
	Credentials string
}

// DefaultFiles says where the shared files are: AWS_CONFIG_FILE and
// AWS_SHARED_CREDENTIALS_FILE with ~ and $VARIABLES expanded as the AWS CLI
// does, and else ~/.aws/config and ~/.aws/credentials. home may be empty; the
// error (a *HomeError) comes only if it is needed.
func DefaultFiles(env Env, home string) (Files, error) {
	config, err := sharedFile(env, "AWS_CONFIG_FILE", home, "config")
	if err != nil {
		return Files{}, err
	}
	credentials, err := sharedFile(env, "AWS_SHARED_CREDENTIALS_FILE", home, "credentials")
	if err != nil {
		return Files{}, err
	}
	return Files{Config: config, Credentials: credentials}, nil
}

func sharedFile(env Env, variable, home, base string) (string, error) {
	if path := env(variable); path != "" {
		return expandPath(path, env, home, "$"+variable)
	}
	if home == "" {
		return "", &HomeError{For: "~/.aws/" + base, Variable: variable}
	}
	return filepath.Join(home, ".aws", base), nil
}

// expandPath expands $NAME, ${NAME} and a leading ~. A variable that is not
// set stays as it is written.
func expandPath(path string, env Env, home, from string) (string, error) {
	path = expandVariables(path, env)
	if path == "" || path[0] != '~' {
		return path, nil
	}
	if path != "~" && path[1] != '/' && path[1] != filepath.Separator {
		return "", &FileError{Path: path, Err: errors.New("the home folder of another user (~name) is not expanded"), From: from}
	}
	if home == "" {
		return "", &HomeError{For: path, Variable: from}
	}
	return filepath.Join(home, path[1:]), nil
}

// expandVariables replaces $NAME and ${NAME} of variables that are set.
func expandVariables(path string, env Env) string {
	var out strings.Builder
	for {
		i := strings.IndexByte(path, '$')
		if i < 0 {
			out.WriteString(path)
			return out.String()
		}
		out.WriteString(path[:i])
		name, whole := variableAt(path[i:])
		if value := env(name); name != "" && value != "" {
			out.WriteString(value)
		} else {
			out.WriteString(whole)
		}
		path = path[i+len(whole):]
	}
}

// variableAt reads the $NAME or ${NAME} that text begins with; name is empty
// if the dollar stands for itself.
func variableAt(text string) (name, whole string) {
	if strings.HasPrefix(text, "${") {
		if end := strings.IndexByte(text, '}'); end > 0 {
			return text[2:end], text[:end+1]
		}
		return "", "$"
	}
	end := 1
	for end < len(text) && (isASCIIAlnum(text[end]) || text[end] == '_') {
		end++
	}
	return text[1:end], text[:end]
}

// readFile reads a whole shared file. A missing one, and the null device,
// are empty.
func readFile(path string) ([]byte, disk.ID, error) {
	if path == "" || path == os.DevNull {
		return nil, disk.ID{Path: path}, nil
	}
	info, err := os.Stat(path)
	if disk.Missing(err) {
		return nil, disk.ID{Path: path}, nil
	}
	if err != nil {
		return nil, disk.ID{}, &FileError{Path: path, Err: disk.Bare(err)}
	}
	if err := readable(info); err != nil {
		return nil, disk.ID{}, &FileError{Path: path, Err: err}
	}
	return readRegular(path)
}

func readRegular(path string) ([]byte, disk.ID, error) {
	file, err := disk.OpenNow(path)
	if err != nil {
		return nil, disk.ID{}, &FileError{Path: path, Err: disk.Bare(err)}
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err == nil {
		err = readable(info)
	}
	if err != nil {
		return nil, disk.ID{}, &FileError{Path: path, Err: disk.Bare(err)}
	}
	data, err := readAll(file, info.Size())
	if err == nil {
		err = checkText(data)
	}
	if err != nil {
		return nil, disk.ID{}, &FileError{Path: path, Err: disk.Bare(err)}
	}
	return data, disk.IDOf(path, info), nil
}

// readAll reads what the file has, even if it grows meanwhile.
func readAll(file io.Reader, size int64) ([]byte, error) {
	data := make([]byte, 0, size+1)
	for len(data) <= MaxFileSize {
		n, err := file.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err == io.EOF {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
	return nil, ErrTooLarge
}

func readable(info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return ErrIsDirectory
	case !info.Mode().IsRegular():
		return ErrNotRegular
	case info.Size() > MaxFileSize:
		return ErrTooLarge
	}
	return nil
}

func checkText(data []byte) error {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return ErrUTF16
	}
	if bytes.IndexByte(data, 0) >= 0 {
		return ErrNUL
	}
	return nil
}

// SelectedProfile names the profile that holds when the command line names
// none, and where that comes from: AWS_PROFILE, AWS_DEFAULT_PROFILE (empty
// ones don't count), then "default" with a zero Origin.
func SelectedProfile(env Env) Value {
	for _, name := range []string{"AWS_PROFILE", "AWS_DEFAULT_PROFILE"} {
		if v := fromEnv(env, name); v.IsSet() {
			return v
		}
	}
	return Value{Text: defaultName}
}

// fromEnv gives the first of the variables that is set and not empty.
func fromEnv(env Env, names ...string) Value {
	for _, name := range names {
		if text := env(name); text != "" {
			return Value{Text: text, Origin: Origin{Env: name}}
		}
	}
	return Value{}
}

func homeOf(env Env) string {
	if home := env("HOME"); home != "" || filepath.Separator == '/' {
		return home
	}
	return strings.TrimSpace(env("USERPROFILE"))
}
