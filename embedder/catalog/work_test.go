package catalog

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"annbench/internal/hostile"
)

// TestHostilePictures has each refused by the limits of a server, and those that only look dangerous read.
func TestHostilePictures(t *testing.T) {
	for _, p := range hostile.Pictures() {
		began := time.Now()
		img, err := Decode(t.Context(), p.Data, 24_000_000)
		t.Logf("%s: %d kB, %v: %v", p.Name, len(p.Data)/1000, time.Since(began).Round(time.Millisecond), err)
		switch {
		case p.Readable && err != nil:
			t.Errorf("%s: %v", p.Name, err)
		case !p.Readable && err == nil:
			t.Errorf("%s: read, %v", p.Name, img.Bounds())
		}
	}
}

// TestCaseB1, the scan bomb in a folder: the larger limit of collections does not let it in.
func TestCaseB1(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "bomb.jpg")
	if err := os.WriteFile(path, hostile.ScanBomb(hostile.Width, hostile.Height, 40), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := decodeFile(path)
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "its 41 scans") {
		t.Errorf("%v", err)
	}
}

// TestUsualScans: what libjpeg writes for three components of full size is read, with the largest size that is taken.
func TestUsualScans(t *testing.T) {
	for scans, refused := range map[int]bool{9: false, 15: false, 30: true} { // beside the first
		if err := checkWork(hostile.ScanBomb(hostile.Width, hostile.Height, scans), hostile.Width*hostile.Height); (err != nil) != refused {
			t.Errorf("%d scans: %v", scans, err)
		}
	}
}

// TestDecodeStops: no decoder goes on when nobody waits.
func TestDecodeStops(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("that is enough")
	cancel(why)
	var file bytes.Buffer
	if err := jpeg.Encode(&file, square(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(ctx, file.Bytes(), 1<<20); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
}

// TestStoppableGivesAll reads what io.ReadAll does.
func TestStoppableGivesAll(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789"), 1000)
	got, err := io.ReadAll(&stoppable{t.Context(), want})
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// withoutScans makes comments of the headers of all scans that are counted.
func withoutScans(data []byte) []byte {
	data = bytes.Clone(data)
	for _, at := range frameOf(data).starts {
		data[at+1] = 0xfe
	}
	return data
}

// FuzzScans: a decoder finds no scan but those that were counted. Without them, there is no picture.
func FuzzScans(f *testing.F) {
	var file bytes.Buffer
	if err := jpeg.Encode(&file, square(), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Add(append([]byte{0xff, 0xd8, 0xff, 0xff, 0xff, 1, 0xff, 0}, file.Bytes()[2:]...))
	f.Fuzz(func(t *testing.T, data []byte) {
		if !bytes.HasPrefix(data, []byte("\xff\xd8")) {
			return
		}
		if img, err := Decode(t.Context(), withoutScans(data), 1<<16); err == nil {
			t.Fatalf("a scan was not counted: %v", img.Bounds())
		}
		_, _ = Decode(t.Context(), data, 1<<16)
	})
}

func square() image.Image { return image.NewGray(image.Rect(0, 0, 16, 16)) }
