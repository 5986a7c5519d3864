// Checks a log directory with the code that the Go toolchain itself trusts: golang.org/x/mod/sumdb/{note,tlog}.
// Usage: tlog VERIFIER_KEY DIRECTORY [RECEIPT]
// Exits 0 and prints the size, or 1 with what is wrong.
// Or: tlog VERIFIER_KEY pruned DIRECTORY: a log that was pruned, under its statement; prints the first entry kept and the size.
// With - for the directory, one is read from each line of standard input, and "ok" or "refused: …" is said to each.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const tileHeight = 8

func main() {
	if len(os.Args) < 3 {
		fail("usage: tlog VERIFIER_KEY DIRECTORY [RECEIPT]")
	}
	verifier, err := note.NewVerifier(os.Args[1])
	check(err)
	if os.Args[2] == "-" {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			fmt.Println(verdict(lines.Text(), verifier))
		}
		check(lines.Err())
		return
	}
	if os.Args[2] == "pruned" && len(os.Args) == 4 {
		kept, size := checkPruned(os.Args[3], verifier)
		fmt.Println(kept, size)
		return
	}
	if len(os.Args) > 3 {
		text, err := os.ReadFile(os.Args[3])
		check(err)
		fmt.Println(checkReceipt(string(text), verifier))
		return
	}
	fmt.Println(checkLog(os.Args[2], verifier))
}

type refusal string

// Within verdict what is wrong is said and does not end the program.
var judging bool

func verdict(directory string, verifier note.Verifier) (answer string) {
	judging = true
	clear(bundleCache)
	defer func() {
		if found := recover(); found != nil {
			answer = fmt.Sprintf("refused: %v", found.(refusal))
		}
	}()
	checkLog(directory, verifier)
	return "ok"
}

func openTree(signed []byte, verifier note.Verifier) tlog.Tree {
	opened, err := note.Open(signed, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		fail("the note is not a checkpoint of %s", verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := tlog.ParseHash(lines[2])
	check(err)
	return tlog.Tree{N: size, Hash: root}
}

// The reader fetches tiles from the directory; tlog.TileHashReader refuses any that does not lead to the root.
type directoryTiles struct {
	root string
	read map[string]bool
}

func (d *directoryTiles) Height() int { return tileHeight }

func (d *directoryTiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (d *directoryTiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		// x/mod writes tile/8/L/N; tlog-tiles leaves the height out.
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		content, err := os.ReadFile(filepath.Join(d.root, path))
		if err != nil {
			return nil, err
		}
		d.read[path] = true
		data[i] = content
	}
	return data, nil
}

func checkLog(directory string, verifier note.Verifier) int64 {
	signed, err := os.ReadFile(filepath.Join(directory, "checkpoint"))
	check(err)
	tree := openTree(signed, verifier)
	tiles := &directoryTiles{directory, map[string]bool{}}
	reader := tlog.TileHashReader(tree, tiles)
	for start := int64(0); start < tree.N; start += 256 {
		width := min(256, tree.N-start)
		indexes := make([]int64, width)
		for i := range indexes {
			indexes[i] = tlog.StoredHashIndex(0, start+int64(i))
		}
		hashes, err := reader.ReadHashes(indexes)
		check(err)
		for i, entry := range readBundle(directory, start/256, int(width)) {
			if tlog.RecordHash(entry) != hashes[i] {
				fail("entry %d does not have the hash of the log", start+int64(i))
			}
		}
	}
	rehash(directory, tree, tiles)
	return tree.N
}

// rehash computes the whole tree from the leaf hashes and compares every tile that the size calls for.
func rehash(directory string, tree tlog.Tree, tiles *directoryTiles) {
	var stored []tlog.Hash
	storage := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			out[i] = stored[index]
		}
		return out, nil
	})
	for n := int64(0); n < tree.N; n++ {
		width := int(min(256, tree.N-n/256*256))
		entry := readBundle(directory, n/256, width)[n%256]
		hashes, err := tlog.StoredHashes(n, entry, storage)
		check(err)
		stored = append(stored, hashes...)
	}
	root, err := tlog.TreeHash(tree.N, storage)
	check(err)
	if root != tree.Hash {
		fail("the entries do not add up to the signed root")
	}
	for _, tile := range tlog.NewTiles(tileHeight, 0, tree.N) {
		if tile.W == 0 {
			continue
		}
		want, err := tlog.ReadTileData(tile, storage)
		check(err)
		got, err := tiles.ReadTiles([]tlog.Tile{tile})
		check(err)
		if !bytes.Equal(want, got[0]) {
			fail("%s is not what the entries add up to", tile.Path())
		}
	}
}

var bundleCache = map[int64][][]byte{}

func readBundle(directory string, index int64, width int) [][]byte {
	if entries, ok := bundleCache[index]; ok {
		return entries
	}
	path := strings.Replace(tlog.Tile{H: tileHeight, L: 0, N: index, W: width}.Path(), "tile/8/0/", "tile/entries/", 1)
	data, err := os.ReadFile(filepath.Join(directory, path))
	check(err)
	var entries [][]byte
	for len(data) > 0 {
		if len(data) < 2 {
			fail("%s is cut short", path)
		}
		length := int(binary.BigEndian.Uint16(data))
		if len(data) < 2+length {
			fail("%s is cut short", path)
		}
		entries = append(entries, data[2:2+length])
		data = data[2+length:]
	}
	if len(entries) != width {
		fail("%s holds %d entries, not %d", path, len(entries), width)
	}
	bundleCache[index] = entries
	return entries
}

// checkPruned does what can be done without the beginning, from the description of the statement in the auditor's guide:
// the statement is signed and of this tree; every entry from there on, and every hash of every tile that reaches beyond it,
// leads to the signed root; nothing before it is asked for.
func checkPruned(directory string, verifier note.Verifier) (kept, size int64) {
	signed, err := os.ReadFile(filepath.Join(directory, "checkpoint"))
	check(err)
	tree := openTree(signed, verifier)
	reader := tlog.TileHashReader(tree, &directoryTiles{directory, map[string]bool{}})
	kept = checkStatement(directory, verifier, tree, reader)
	for start := kept; start < tree.N; start += 256 {
		width := int(min(256, tree.N-start))
		hashes := readLevel(reader, 0, start, width)
		for i, entry := range readBundle(directory, start/256, width) {
			if tlog.RecordHash(entry) != hashes[i] {
				fail("entry %d does not have the hash of the log", start+int64(i))
			}
		}
	}
	span := int64(256)
	for level := 1; tree.N/span > 0; level++ {
		hashesAtLevel := tree.N / span
		for first := kept / (span * 256) * 256; first < hashesAtLevel; first += 256 {
			readLevel(reader, level, first, int(min(256, hashesAtLevel-first)))
		}
		span *= 256
	}
	return kept, tree.N
}

// readLevel reads the hashes of one tile; the reader refuses what does not lead to the root.
func readLevel(reader tlog.HashReader, level int, first int64, width int) []tlog.Hash {
	indexes := make([]int64, width)
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(level*tileHeight, first+int64(i))
	}
	hashes, err := reader.ReadHashes(indexes)
	check(err)
	return hashes
}

func checkStatement(directory string, verifier note.Verifier, tree tlog.Tree, reader tlog.HashReader) int64 {
	signed, err := os.ReadFile(filepath.Join(directory, "retention"))
	check(err)
	opened, err := note.Open(signed, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 8 || lines[0] != "lockstep retention v1" || lines[1] != verifier.Name() {
		fail("the note is not a retention statement of %s", verifier.Name())
	}
	kept, err := strconv.ParseInt(lines[2], 10, 64)
	check(err)
	size, err := strconv.ParseInt(lines[3], 10, 64)
	check(err)
	root, err := tlog.ParseHash(lines[4])
	check(err)
	if kept%256 != 0 || kept > size || size > tree.N {
		fail("the retention statement is not of a log of %d entries", tree.N)
	}
	own, err := tlog.TreeHash(size, reader)
	check(err)
	if own != root {
		fail("the retention statement is not of this log")
	}
	return kept
}

func checkReceipt(text string, verifier note.Verifier) int64 {
	head, checkpoint, found := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		fail("not a receipt")
	}
	encoded, hasExtra := strings.CutPrefix(lines[1], "extra ")
	number, hasIndex := strings.CutPrefix(lines[2], "index ")
	if !hasExtra || !hasIndex {
		fail("not a receipt that carries its entry")
	}
	entry, err := base64.StdEncoding.DecodeString(encoded)
	check(err)
	index, err := strconv.ParseInt(number, 10, 64)
	check(err)
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		check(err)
		proof = append(proof, hash)
	}
	tree := openTree([]byte(checkpoint), verifier)
	check(tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry)))
	return index
}

func check(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func fail(format string, args ...any) {
	if judging {
		panic(refusal(fmt.Sprintf(format, args...)))
	}
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}
