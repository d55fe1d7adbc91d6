//go:build interop

package main

// demandShells: whether a shell that is not installed is a failure.
const demandShells = true
