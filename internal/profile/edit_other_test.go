//go:build !unix

package profile

func limitFileSize() { panic("no test asks for it here") }
