// Judges of logs and receipts that share no code with Lockstep: Tessera's fsck and torchwood's proofs and policies.
// Usage: judges fsck VERIFIER_KEY   one directory a line on standard input; answers "ok" or "refused: …" to each
//
//	judges receipt POLICY        one receipt file a line, which carries its entry
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"

	"filippo.io/torchwood"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A worker of fsck ends at the first resource that it finds wrong; once none is left, fsck waits for ever (v1.0.4).
const workers = 8

func main() {
	if len(os.Args) != 3 {
		fail("usage: judges fsck VERIFIER_KEY | receipt POLICY")
	}
	var judge func(path string) error
	switch os.Args[1] {
	case "fsck":
		verifier, err := note.NewVerifier(os.Args[2])
		check(err)
		judge = func(directory string) error {
			source := &client.FileFetcher{Root: directory}
			return fsck.New(verifier.Name(), verifier, source, leafHashes, fsck.Opts{N: workers}).Check(context.Background())
		}
	case "receipt":
		text, err := os.ReadFile(os.Args[2])
		check(err)
		policy, err := torchwood.ParsePolicy(text)
		check(err)
		judge = func(file string) error {
			proof, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			entry, err := torchwood.ProofExtraData(proof)
			if err != nil {
				return err
			}
			return torchwood.VerifyProof(policy, tlog.RecordHash(entry), proof)
		}
	default:
		fail("unknown judge %s", os.Args[1])
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if err := judge(lines.Text()); err != nil {
			fmt.Printf("refused: %q\n", err.Error())
		} else {
			fmt.Println("ok")
		}
	}
	check(lines.Err())
}

func leafHashes(bundle []byte) ([][]byte, error) {
	entries := &api.EntryBundle{}
	if err := entries.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	hashes := make([][]byte, 0, len(entries.Entries))
	for _, entry := range entries.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return hashes, nil
}

func check(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}
