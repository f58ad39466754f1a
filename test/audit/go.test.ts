/**
 * Exports against another implementation: Go's golang.org/x/mod/sumdb, note and tlog, opens the checkpoint, reads the tiles, proves and
 * checks every leaf and several pairs of trees, and signs a note that is read here. COSIGNER_LONG=1, where there is Go 1.22 or later
 * and the module, fetched by go itself.
 */
import { expect, test } from "bun:test"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { noteKeyText, noteText, parseNote, parseNoteKey, signedBy } from "../../src/audit/note.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { checkpointOf, filesOf, LOG, leaves, witnessNo } from "./world.ts"

const MODULE = "golang.org/x/mod v0.30.0"

const PROGRAM = `package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type files struct{ dir string }

func (f files) Height() int { return 8 }
func (f files) SaveTiles([]tlog.Tile, [][]byte) {}
func (f files) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var read [][]byte
	for _, t := range tiles {
		path := strings.Replace(t.Path(), "tile/8/", "tile/", 1)
		b, err := os.ReadFile(filepath.Join(f.dir, path))
		if err != nil {
			return nil, err
		}
		read = append(read, b)
	}
	return read, nil
}

func must[T any](v T, err error) T {
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	return v
}

func main() {
	dir, vkey := os.Args[1], os.Args[2]
	v := must(note.NewVerifier(vkey))
	n := must(note.Open(must(os.ReadFile(filepath.Join(dir, "checkpoint"))), note.VerifierList(v)))
	lines := strings.Split(n.Text, "\\n")
	size := must(strconv.ParseInt(lines[1], 10, 64))
	var root tlog.Hash
	copy(root[:], must(base64.StdEncoding.DecodeString(lines[2])))
	hashes := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, files{dir})
	scan := bufio.NewScanner(bytes.NewReader(must(os.ReadFile(filepath.Join(dir, "leaves.jsonl")))))
	var i int64
	for scan.Scan() {
		if size > 10000 && i%97 != 0 {
			i++
			continue
		}
		proof := must(tlog.ProveRecord(size, i, hashes))
		if err := tlog.CheckRecord(proof, size, root, i, tlog.RecordHash(scan.Bytes())); err != nil {
			fmt.Println("error:", i, err)
			os.Exit(1)
		}
		i++
	}
	for _, old := range []int64{1, 2, 255, 256, 257, size - 1, size} {
		if old < 1 || old > size {
			continue
		}
		proof := must(tlog.ProveTree(size, old, hashes))
		if err := tlog.CheckTree(proof, size, root, old, must(tlog.TreeHash(old, hashes))); err != nil {
			fmt.Println("error:", old, err)
			os.Exit(1)
		}
	}
	skey, theirs := must2(note.GenerateKey(rand.Reader, "go.test/log"))
	signed := must(note.Sign(&note.Note{Text: n.Text}, must(note.NewSigner(skey))))
	os.WriteFile(filepath.Join(dir, "signed-by-go"), signed, 0600)
	fmt.Println("ok", i, theirs)
}

func must2(a, b string, err error) (string, string) {
	must(0, err)
	return a, b
}
`

const go = (cwd: string, ...args: readonly string[]) =>
  Bun.spawnSync(["go", ...args], { cwd, env: { ...process.env, GOFLAGS: "-mod=mod -buildvcs=false" } })

/** The program, built; or why it cannot be. */
function built(dir: string): string | undefined {
  if (Bun.which("go") === null) return "go is not here"
  writeFileSync(join(dir, "go.mod"), `module verify\n\ngo 1.22\n\nrequire ${MODULE}\n`)
  writeFileSync(join(dir, "main.go"), PROGRAM)
  const { exitCode, stderr } = go(dir, "build", "-o", "verify", ".")
  return exitCode === 0 ? undefined : `the module cannot be had: ${stderr.toString().slice(0, 300)}`
}

test.if(process.env["COSIGNER_LONG"] === "1")(
  "Go's sumdb reads keys, checkpoints, tiles and leaves, and proves every leaf; its note is read here",
  () => {
    const { path } = temporaryFolder("go")
    const why = built(path)
    if (why !== undefined) return console.warn(`skipped: ${why}`)
    for (const size of [1, 255, 256, 257, 700, 66_000]) {
      const dir = join(path, String(size))
      for (const [name, bytes] of filesOf(leaves(size), size, [witnessNo(1)])) {
        mkdirSync(dirname(join(dir, name)), { recursive: true })
        writeFileSync(join(dir, name), bytes)
      }
      const { stdout } = Bun.spawnSync([join(path, "verify"), dir, noteKeyText(LOG.key)])
      const [ok, count, key = ""] = stdout.toString().trim().split(" ")
      expect([ok, count]).toEqual(["ok", String(size)])
      const note = parseNote(readFileSync(join(dir, "signed-by-go"), "utf8"))
      const theirs = parseNoteKey(key)
      expect(note && theirs && signedBy(note, theirs)).toBe(0)
      expect(note && noteText(note).startsWith(checkpointOf(leaves(0)).split("\n")[0] ?? "")).toBe(true)
      // What was altered, Go refuses too.
      writeFileSync(join(dir, "leaves.jsonl"), "{}\n", { flag: "a" })
      expect(Bun.spawnSync([join(path, "verify"), dir, noteKeyText(LOG.key)]).exitCode).not.toBe(0)
    }
  },
  120_000,
)
