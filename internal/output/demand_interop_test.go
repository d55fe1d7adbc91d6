//go:build interop

package output

// demandShells: whether a shell that is not installed is a failure.
const demandShells = true
