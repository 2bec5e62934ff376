//go:build cgo && unix

package embedder

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/image/draw"

	"annbench/embedder/catalog"
	"annbench/embedder/models"
)

// jpegs writes n photographs of garments, scaled to 400 × 400, as files.
func jpegs(b *testing.B, n int) catalog.Source {
	b.Helper()
	src := photographs(b, "test")
	dir := b.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "all"), 0o777); err != nil {
		b.Fatal(err)
	}
	for i := range n {
		p := src.Group(i % src.Groups())[0]
		if p.Err != nil {
			b.Fatal(p.Err)
		}
		img := image.NewRGBA(image.Rect(0, 0, 400, 400))
		draw.CatmullRom.Scale(img, img.Rect, p.Image, p.Image.Bounds(), draw.Src, nil)
		var file bytes.Buffer
		if err := jpeg.Encode(&file, img, &jpeg.Options{Quality: 90}); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "all", fmt.Sprintf("%04d.jpg", i)), file.Bytes(), 0o666); err != nil {
			b.Fatal(err)
		}
	}
	folder, err := catalog.OpenFolder(dir)
	if err != nil {
		b.Fatal(err)
	}
	return folder
}

// BenchmarkPipeline embeds JPEG files of 400 × 400 end to end, and in turn runs the model by itself on as
// many ready batches, with the same threads and runs at once. "share" is the rate of the first over that
// of the second, "core-ms" what an image costs of the processor in each.
func BenchmarkPipeline(b *testing.B) {
	const images, batch = 256, 32
	src := jpegs(b, images)
	for _, c := range []struct{ threads, runs int }{{2, 1}, {1, 2}} {
		b.Run(fmt.Sprintf("threads=%d/runs=%d", c.threads, c.runs), func(b *testing.B) {
			withRuntime(b)
			card, err := models.Default()
			if err != nil {
				b.Skip(err)
			}
			s, err := OpenSession(card, SessionOptions{Devices: []Device{CPU}, Threads: c.threads})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			in := newTensor(&s.Card().Input, batch)
			alone := func() {
				batches := make(chan int, images/batch)
				for i := range images / batch {
					batches <- i
				}
				close(batches)
				var wg sync.WaitGroup
				for range c.runs {
					wg.Go(func() {
						out := newOutput(s, batch)
						for range batches {
							if err := s.engine.run(in, batch, out); err != nil {
								b.Error(err)
							}
						}
					})
				}
				wg.Wait()
			}
			alone()
			var end, session, endCPU, sessionCPU time.Duration
			var r Result
			for b.Loop() {
				start, cpu := time.Now(), processTime(b)
				alone()
				session += time.Since(start)
				sessionCPU += processTime(b) - cpu
				start, cpu = time.Now(), processTime(b)
				if r, err = Embed(context.Background(), src, s, Options{Batch: batch, Runs: c.runs}, func(Batch) error { return nil }); err != nil {
					b.Fatal(err)
				}
				end += time.Since(start)
				endCPU += processTime(b) - cpu
			}
			n := float64(images * b.N)
			b.ReportMetric(n/end.Seconds(), "images/s")
			b.ReportMetric(n/session.Seconds(), "alone/s")
			b.ReportMetric(session.Seconds()/end.Seconds(), "share")
			b.ReportMetric(endCPU.Seconds()/n*1e3, "core-ms/image")
			b.ReportMetric(sessionCPU.Seconds()/n*1e3, "alone-core-ms/image")
			b.ReportMetric(r.Stages[0].Share(), "decode-busy")
			b.ReportMetric(r.Stages[1].Share(), "model-busy")
		})
	}
}

// processTime is the processor time that this process has used.
func processTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
