// Command tessera appends random entries to a log on POSIX storage with closed loops that each wait for one entry before the
// next, for a while, and prints what it measured as one JSON object. An entry counts when Tessera has sequenced and
// integrated it: its files are written with O_SYNC, their directories synced.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"log"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	badger_as "github.com/transparency-dev/tessera/storage/posix/antispam"
	"golang.org/x/mod/sumdb/note"
)

var (
	directory = flag.String("directory", "", "where the log is made; it has to be empty")
	appenders = flag.Int("appenders", 64, "closed loops")
	bytes     = flag.Int("bytes", 500, "length of an entry")
	warmUp    = flag.Duration("warm-up", 500*time.Millisecond, "not counted")
	window    = flag.Duration("window", 3*time.Second, "counted")
	batchSize = flag.Uint("batch-size", 256, "entries that are sequenced together at most")
	batchAge  = flag.Duration("batch-age", 10*time.Millisecond, "how long a batch waits to be filled")
	interval  = flag.Duration("checkpoint-interval", 200*time.Millisecond, "between two checkpoints")
	antispam  = flag.Bool("antispam", false, "keep the index that finds entries again, on the disk")
)

type measured struct {
	PerSecond float64 `json:"perSecond"`
	P50       float64 `json:"p50Milliseconds"`
	P99       float64 `json:"p99Milliseconds"`
}

func main() {
	flag.Parse()
	ctx := context.Background()
	appender, shutdown := open(ctx)
	load(ctx, appender, *warmUp)
	result := load(ctx, appender, *window)
	check(shutdown(ctx))
	check(json.NewEncoder(os.Stdout).Encode(result))
}

func open(ctx context.Context) (*tessera.Appender, func(context.Context) error) {
	key, _, err := note.GenerateKey(rand.Reader, "lockstep.bench/tessera")
	check(err)
	signer, err := note.NewSigner(key)
	check(err)
	driver, err := posix.New(ctx, posix.Config{Path: *directory})
	check(err)
	options := tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithCheckpointInterval(*interval).
		WithBatching(*batchSize, *batchAge)
	if *antispam {
		index, err := badger_as.NewAntispam(ctx, filepath.Join(*directory, ".state", "antispam"), badger_as.AntispamOpts{})
		check(err)
		options = options.WithAntispam(tessera.DefaultAntispamInMemorySize, index)
	}
	appender, shutdown, _, err := tessera.NewAppender(ctx, driver, options)
	check(err)
	return appender, shutdown
}

func load(ctx context.Context, appender *tessera.Appender, length time.Duration) measured {
	var together sync.WaitGroup
	times := make([][]float64, *appenders)
	started := time.Now()
	for i := range *appenders {
		together.Add(1)
		go func() {
			defer together.Done()
			for time.Since(started) < length {
				entry := make([]byte, *bytes)
				_, err := rand.Read(entry)
				check(err)
				asked := time.Now()
				check(add(ctx, appender, entry))
				times[i] = append(times[i], float64(time.Since(asked))/1e6)
			}
		}()
	}
	together.Wait()
	took := time.Since(started).Seconds()
	all := slices.Concat(times...)
	slices.Sort(all)
	return measured{
		PerSecond: float64(len(all)) / took,
		P50:       all[len(all)/2],
		P99:       all[len(all)*99/100],
	}
}

// add waits while Tessera pushes back, as it asks its callers to.
func add(ctx context.Context, appender *tessera.Appender, entry []byte) error {
	for {
		_, err := appender.Add(ctx, tessera.NewEntry(entry))()
		if !errors.Is(err, tessera.ErrPushback) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
