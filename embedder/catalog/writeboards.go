package catalog

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"annbench/embedder/catalog/boards"
	"annbench/internal/atomicfile"
	"annbench/internal/plaintext"
)

// renderingFile says which boards a folder holds, or will hold when it is complete.
const renderingFile = "render.json"

// rendering is what stands in it.
type rendering struct {
	Digest   string        `json:"digest"` // of the collection; decides whether a folder is resumed
	Renderer int           `json:"renderer"`
	Boards   int           `json:"boards"`
	Seed     uint64        `json:"seed"`
	Quality  int           `json:"quality"`
	Drawing  boards.Config `json:"drawing"`
	Layout   bool          `json:"layout,omitempty"` // the boxes are those of another file
	Garments int           `json:"garments,omitempty"`
	Shots    int           `json:"shots,omitempty"`
	Scenes   bool          `json:"scenes,omitempty"`
	Hard     float64       `json:"hard,omitempty"`
	Go       string        `json:"go"` // whose JPEG coder it was
}

// WriteProgress is how far [WriteBoards] is.
type WriteProgress struct {
	Done, Total int // boards, those of earlier calls included
	Written     int // boards of this call
}

// WriteBoards writes the boards of r into the folder dir: images/NAME.jpg for each, and boards.tsv
// with their boxes (of garments, attributes.csv with what is known of them, too), which [OpenBoards] and [Open] read: the crops are those of r itself, with the
// same IDs. Boards are drawn by as many goroutines as there are processors, and the files are the
// same whatever their number.
//
// A call that was ended by ctx, or that failed, is resumed by the next one; boards.tsv is there
// once everything is. Where it is there already, nothing is done. It is an error if dir holds anything
// else: boards of other settings, or files that WriteBoards did not write.
func WriteBoards(ctx context.Context, r *Rendered, dir string, progress func(WriteProgress)) error {
	if err := writeBoards(ctx, r, dir, progress); err != nil {
		return fmt.Errorf("writing boards to %s: %w", dir, err)
	}
	return nil
}

func writeBoards(ctx context.Context, r *Rendered, dir string, progress func(WriteProgress)) error {
	if err := r.claim(ctx, dir); err != nil {
		return err
	}
	final := filepath.Join(dir, BoardsFile)
	if _, err := os.Stat(final); err == nil {
		return nil
	}
	rows, err := os.OpenFile(final+".part", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer rows.Close()
	from, err := r.resume(dir, rows)
	if err != nil {
		return err
	}
	if err := r.writeFrom(ctx, from, dir, rows, progress); err != nil {
		return err
	}
	if err := rows.Sync(); err != nil {
		return err
	}
	if err := rows.Close(); err != nil {
		return err
	}
	if table := r.Attributes(); table != nil {
		if err := atomicfile.Write(filepath.Join(dir, AttributesFile), table); err != nil {
			return err
		}
	}
	return atomicfile.Rename(final+".part", final)
}

// claim makes dir the folder of these boards, if it is not another one's.
func (r *Rendered) claim(ctx context.Context, dir string) error {
	digest, err := r.Digest(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(dir, renderingFile)
	text, err := os.ReadFile(path)
	if err == nil {
		var was rendering
		if err := json.Unmarshal(text, &was); err != nil {
			return fmt.Errorf("%s: %w", path, plaintext.JSONError(text, err))
		}
		if was.Digest != digest {
			return fmt.Errorf("it holds %d boards of seed %d with other settings (see %s): name another folder", was.Boards, was.Seed, path)
		}
		return os.MkdirAll(filepath.Join(dir, ImagesDir), 0o755)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("there is something already (%s): name another folder", entries[0].Name())
	}
	c := r.config
	text, err = json.MarshalIndent(rendering{
		Digest: digest, Renderer: boards.Version, Boards: c.Boards, Seed: c.Seed, Quality: c.Quality,
		Drawing: c.Drawing.WithDefaults(), Layout: c.Layout != nil, Go: runtime.Version(),
		Garments: c.Garments, Shots: c.Shots, Scenes: c.Scenes, Hard: c.Hard,
	}, "", "  ")
	if err != nil {
		return err
	}
	if err := atomicfile.Write(path, append(text, '\n')); err != nil {
		return err
	}
	return os.MkdirAll(filepath.Join(dir, ImagesDir), 0o755)
}

// header is the first line of the file of boxes.
var header = strings.Join(columns[:], "\t") + "\n"

// rows are the lines of board g.
func (r *Rendered) rows(g int, boxes []boards.Box) []byte {
	var b []byte
	name := r.BoardName(g)
	for _, box := range boxes {
		b = append(b, name...)
		for _, v := range [...]float64{box.X, box.Y, box.W, box.H} {
			b = append(b, '\t')
			b = strconv.AppendFloat(b, v, 'g', -1, 64) // every digit that tells it from its neighbours
		}
		b = append(b, '\t')
		b = append(b, box.Label...)
		b = append(b, '\n')
	}
	return b
}

func (r *Rendered) path(dir string, g int) string {
	return filepath.Join(dir, ImagesDir, r.BoardName(g)+".jpg")
}

// resume returns the first board that is not there in full, rows and image, and cuts the rows off
// before it.
func (r *Rendered) resume(dir string, rows *os.File) (from int, err error) {
	in := bufio.NewReader(rows)
	var good int64 // bytes
	line := func() (string, bool, error) {
		text, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return "", false, nil // a line without an end is not one
		}
		return text, err == nil, err
	}
	text, ok, err := line()
	if err != nil {
		return 0, err
	}
	if ok && text == header {
		good = int64(len(header))
		for from < r.config.Boards {
			n, whole := 0, true
			for _, item := range r.Items(from) {
				text, ok, err := line()
				if err != nil {
					return 0, err
				}
				if !ok || !strings.HasPrefix(text, r.BoardName(from)+"\t") || !strings.HasSuffix(text, "\t"+item.Label+"\n") {
					whole = false
					break
				}
				n += len(text)
			}
			if !whole || !wholeJPEG(r.path(dir, from)) {
				break
			}
			good += int64(n)
			from++
		}
	}
	if err := rows.Truncate(good); err != nil {
		return 0, err
	}
	if _, err := rows.Seek(good, io.SeekStart); err != nil {
		return 0, err
	}
	if good == 0 {
		_, err = rows.WriteString(header)
	}
	return from, err
}

// wholeJPEG reports whether a file ends as a JPEG does: one that was being written when the machine
// stopped does not.
func wholeJPEG(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var end [2]byte
	if _, err := f.Seek(-2, io.SeekEnd); err != nil {
		return false
	}
	_, err = io.ReadFull(f, end[:])
	return err == nil && bytes.Equal(end[:], []byte{0xff, 0xd9})
}

// writeFrom draws boards from the given one on, side by side, and writes them in order: the image
// first, then its rows, which say that it is there.
func (r *Rendered) writeFrom(ctx context.Context, from int, dir string, rows io.Writer, progress func(WriteProgress)) error {
	type drawn struct {
		file  []byte
		boxes []boards.Box
		err   error
	}
	workers := runtime.GOMAXPROCS(0)
	group, ctx := errgroup.WithContext(ctx)
	type job struct {
		board  int
		answer chan drawn
	}
	jobs := make(chan job)
	answers := make(chan chan drawn, 2*workers) // the window of boards in flight
	group.Go(func() error {
		defer close(jobs)
		defer close(answers)
		for g := from; g < r.config.Boards; g++ {
			j := job{g, make(chan drawn, 1)}
			select {
			case answers <- j.answer:
			case <-ctx.Done():
				return ctx.Err()
			}
			select {
			case jobs <- j:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range workers {
		group.Go(func() error {
			for j := range jobs {
				var d drawn
				d.file, d.boxes, d.err = r.File(j.board)
				j.answer <- d
			}
			return nil
		})
	}
	group.Go(func() error {
		g := from
		for answer := range answers {
			var d drawn
			select {
			case d = <-answer:
			case <-ctx.Done():
				return ctx.Err()
			}
			if d.err != nil {
				return d.err
			}
			if err := os.WriteFile(r.path(dir, g), d.file, 0o644); err != nil {
				return err
			}
			if _, err := rows.Write(r.rows(g, d.boxes)); err != nil {
				return err
			}
			g++
			if progress != nil {
				progress(WriteProgress{Done: g, Total: r.config.Boards, Written: g - from})
			}
		}
		return ctx.Err()
	})
	return group.Wait()
}
