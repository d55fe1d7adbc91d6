// Command wine-prng writes the bcryptprimitives.dll that a Go program for Windows asks for random bytes, and that older
// releases of Wine have not. The library holds no code: its one function, ProcessPrng, is forwarded to the
// SystemFunction036 of advapi32 (RtlGenRandom), which takes the same two arguments.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: wine-prng FILE.dll")
		os.Exit(2)
	}
	if err := os.WriteFile(os.Args[1], library(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "wine-prng:", err)
		os.Exit(1)
	}
}

// Where things lie, in the file and in memory: one section after one page of headers.
const (
	fileAlign, memoryAlign = 0x200, 0x1000
	sectionAt              = memoryAlign
	newHeaderAt            = 0x40
)

// See "PE Format" in Microsoft's documentation for each of the fields.
type header struct {
	Signature                                     [4]byte
	Machine, Sections                             uint16
	Time, Symbols, SymbolCount                    uint32
	OptionalSize, Characteristics                 uint16
	Magic                                         uint16
	Linker                                        [2]byte
	Code, Data, BSS, Entry, CodeBase              uint32
	ImageBase                                     uint64
	SectionAlign, FileAlign                       uint32
	OSMajor, OSMinor, Major, Minor                uint16
	SubsystemMajor, SubsystemMinor                uint16
	Win32Version, ImageSize, HeaderSize, CheckSum uint32
	Subsystem, DLLCharacteristics                 uint16
	StackReserve, StackCommit                     uint64
	HeapReserve, HeapCommit                       uint64
	LoaderFlags, DirectoryCount                   uint32
	Export                                        [2]uint32
	OtherDirectories                              [15][2]uint32
	SectionName                                   [8]byte
	VirtualSize, VirtualAddress                   uint32
	RawSize, RawAt                                uint32
	Relocations, Lines                            uint32
	RelocationCount, LineCount                    uint16
	SectionCharacteristics                        uint32
}

type exports struct {
	Flags, Time                uint32
	Major, Minor               uint16
	Name, OrdinalBase          uint32
	FunctionCount, NameCount   uint32
	Functions, Names, Ordinals uint32
	Function, NameOf           uint32 // the two tables, of one entry each
	Ordinal                    uint16
}

// library is the whole file.
func library() []byte {
	const (
		characteristics = 0x2022 // executable, large addresses, a library
		readOnlyData    = 0x40000040
	)
	section := exportSection()
	var out bytes.Buffer
	dos := make([]byte, newHeaderAt)
	copy(dos, "MZ")
	binary.LittleEndian.PutUint32(dos[0x3c:], newHeaderAt)
	out.Write(dos)
	write(&out, header{
		Signature: [4]byte{'P', 'E'}, Machine: 0x8664, Sections: 1, OptionalSize: 240, Characteristics: characteristics,
		Magic: 0x20b, Data: fileAlign, ImageBase: 0x180000000, SectionAlign: memoryAlign, FileAlign: fileAlign,
		OSMajor: 6, SubsystemMajor: 6, ImageSize: sectionAt + memoryAlign, HeaderSize: fileAlign, Subsystem: 3,
		StackReserve: 1 << 20, StackCommit: 1 << 12, HeapReserve: 1 << 20, HeapCommit: 1 << 12,
		DirectoryCount: 16, Export: [2]uint32{sectionAt, uint32(len(section))},
		SectionName: [8]byte{'.', 'e', 'd', 'a', 't', 'a'}, VirtualSize: memoryAlign, VirtualAddress: sectionAt,
		RawSize: fileAlign, RawAt: fileAlign, SectionCharacteristics: readOnlyData,
	})
	out.Write(make([]byte, fileAlign-out.Len()))
	out.Write(section)
	out.Write(make([]byte, 2*fileAlign-out.Len()))
	return out.Bytes()
}

// exportSection is the export directory and, behind it, the texts it points at. A function whose address lies within
// the directory is a forward: a text that names another library's function.
func exportSection() []byte {
	const name, function, forward = "bcryptprimitives.dll\x00", "ProcessPrng\x00", "advapi32.SystemFunction036\x00"
	size := uint32(binary.Size(exports{}))
	at := func(field uint32) uint32 { return sectionAt + field }
	texts := at(size)
	var out bytes.Buffer
	write(&out, exports{
		Name: texts, OrdinalBase: 1, FunctionCount: 1, NameCount: 1, Functions: at(40), Names: at(44), Ordinals: at(48),
		Function: texts + uint32(len(name)+len(function)), NameOf: texts + uint32(len(name)),
	})
	out.WriteString(name + function + forward)
	return out.Bytes()
}

func write(out *bytes.Buffer, fields any) {
	if err := binary.Write(out, binary.LittleEndian, fields); err != nil {
		panic(err) // fields of fixed size into memory
	}
}
