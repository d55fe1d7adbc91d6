//go:build !unix

package main

// checkBase leaves it to the access list that a user's temporary folder has.
func checkBase(string) error { return nil }
