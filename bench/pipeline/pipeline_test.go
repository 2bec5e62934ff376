package pipeline_test

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"annbench/bench"
	"annbench/bench/metric"
	"annbench/bench/pipeline"
	"annbench/bench/record"
	"annbench/bench/sweepfile"
	"annbench/embedder"
	"annbench/embedder/catalog"
)

// TestMain lets the test binary be its own worker, as every program that runs a sweep is, and the program of an external
// family.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "program" {
		program(os.Args[2])
	}
	pipeline.Work()
	os.Exit(m.Run())
}

func testSweep(t testing.TB, text string) *sweepfile.Sweep {
	t.Helper()
	sweep, err := sweepfile.Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return sweep
}

// images writes a folder of labelled pictures: three categories of one colour each.
func images(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for label, c := range map[string]color.RGBA{"red": {R: 200, A: 255}, "green": {G: 200, A: 255}, "blue": {B: 200, A: 255}} {
		if err := os.Mkdir(filepath.Join(dir, label), 0o755); err != nil {
			t.Fatal(err)
		}
		for n := range 8 {
			img := image.NewRGBA(image.Rect(0, 0, 32, 32))
			for i := range 32 * 32 {
				img.SetRGBA(i%32, i/32, color.RGBA{c.R + uint8(n*i%50), c.G + uint8(n+i%40), c.B + uint8(i%30), 255})
			}
			f, err := os.Create(filepath.Join(dir, label, string(rune('a'+n))+".jpg"))
			if err != nil {
				t.Fatal(err)
			}
			if err := jpeg.Encode(f, img, nil); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// TestImagesToResults goes the whole way as a program that is not the command, twice: the second time finds
// everything there.
func TestImagesToResults(t *testing.T) {
	if err := embedder.CanRun(); err != nil {
		t.Skip(err)
	}
	sweep := testSweep(t, "name: colours\ndata: {images: "+images(t)+"}\nqueries: 6\nk: 3\nrepetitions: 1\nmeasure: 1ms\nfamilies: [{family: flat}]\n")
	out := filepath.Join(t.TempDir(), "results")
	p := pipeline.Pipeline{Cache: t.TempDir()}
	sum, err := p.Run(t.Context(), pipeline.RunConfig{Sweep: sweep, Out: out})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Measured[record.OK] != 1 || sum.Failed() != 0 {
		t.Fatalf("%+v, want one cell measured", sum)
	}
	results, err := record.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	if e := results.Dataset.Embedding; e == nil || e.Images != 24 {
		t.Errorf("the data set is embedded from %+v, want 24 images", e)
	}
	if got := results.Records[0].Values[metric.Recall]; got != 1 {
		t.Errorf("exact search has a recall of %v, want 1", got)
	}
	set, err := p.SetOf(results.Dataset.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	origin, err := pipeline.ReadOrigin(out)
	if err != nil {
		t.Fatal(err)
	}
	pictures := p.Pictures(set.Collection, origin)
	if pictures == nil {
		t.Fatal("the collection with the pictures is not found in the cache")
	}
	defer pictures.Close()
	src, err := origin.Open()
	if err != nil {
		t.Fatal(err)
	}
	if src.Len() != 24 {
		t.Errorf("the origin has %d pictures, want 24", src.Len())
	}
	again, err := p.Run(t.Context(), pipeline.RunConfig{Sweep: sweep, Out: out})
	if err != nil {
		t.Fatal(err)
	}
	if again.Present != 1 || len(again.Measured) != 0 {
		t.Errorf("a second run measured %+v, want everything to be there", again)
	}
}

// A changed picture is an error before anything is embedded, in a run into results of the old pictures and in embed.
func TestChangedPictures(t *testing.T) {
	if err := embedder.CanRun(); err != nil {
		t.Skip(err)
	}
	shop := images(t)
	sweep := testSweep(t, "data: {images: "+shop+"}\nqueries: 6\nk: 3\nrepetitions: 1\nmeasure: 1ms\nfamilies: [{family: flat}]\n")
	out, vectors := filepath.Join(t.TempDir(), "results"), filepath.Join(t.TempDir(), "vectors")
	p := pipeline.Pipeline{Cache: t.TempDir()}
	if _, err := p.Run(t.Context(), pipeline.RunConfig{Sweep: sweep, Out: out, NoMap: true}); err != nil {
		t.Fatal(err)
	}
	embed := func() error {
		t.Helper()
		src, err := catalog.Open(shop)
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Embed(t.Context(), pipeline.EmbedConfig{Source: src}, vectors)
		return err
	}
	if err := embed(); err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(filepath.Join(shop, "red", "b.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(shop, "red", "a.jpg"), other, 0o644); err != nil {
		t.Fatal(err)
	}
	const want = "its pictures, their names or their categories have changed since"
	if _, err := p.Run(t.Context(), pipeline.RunConfig{Sweep: sweep, Out: out, NoMap: true}); err == nil || !strings.Contains(err.Error(), out+" holds results for ") || !strings.Contains(err.Error(), want) {
		t.Errorf("run: %v, want %q", err, want)
	}
	if all, err := os.ReadDir(filepath.Join(p.Cache, "embeddings")); err != nil || len(all) != 1 {
		t.Errorf("%d folders of embeddings (%v), want that of the first run alone", len(all), err)
	}
	if err := embed(); err == nil || !strings.Contains(err.Error(), vectors+" holds the vectors of ") || !strings.Contains(err.Error(), want) {
		t.Errorf("embed: %v, want %q", err, want)
	}
}

func TestSizes(t *testing.T) {
	sweep := testSweep(t, "data: {synthetic: {n: [300, 100, 300], dim: 16}}\nfamilies: [{family: flat}]\n")
	dirs := map[string]int{}
	for _, size := range pipeline.Sizes(sweep) {
		dirs[size.Dir] = size.Sweep.Data.Synthetic.N[0]
	}
	if want := map[string]int{"n100": 100, "n300": 300}; !maps.Equal(dirs, want) {
		t.Errorf("sizes are %v, want %v", dirs, want)
	}
	if n := sweep.Data.Synthetic.N; !slices.Equal(n, []int{300, 100, 300}) {
		t.Errorf("the sweep itself has changed: %v", n)
	}
	sweep.Data.Synthetic.N = []int{50}
	if one := pipeline.Sizes(sweep); len(one) != 1 || one[0].Sweep != sweep || one[0].Dir != "" {
		t.Errorf("one size is %+v, want the sweep itself", one)
	}
}

// A plan of images needs neither the model nor an embedding: rows, queries and dimensions are those that a run finds.
func TestForeseeNeedsNoEmbedding(t *testing.T) {
	p := &pipeline.Pipeline{Cache: t.TempDir()}
	sweep, err := sweepfile.Parse("x.yaml", []byte("data: {rendered: {boards: 20, seed: 1}}\nqueries: 7\nmetric: cosine\nfamilies: [{family: flat}, {family: forest}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	d, drawn, err := p.Foresee(t.Context(), sweep)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if !drawn || d.Queries.Rows != 7 || d.Base.Rows != 20*5-7 || d.Base.Dim != 512 || d.Digest != "" {
		t.Errorf("drawn %v: %d + %d vectors of %d dimensions, digest %q", drawn, d.Base.Rows, d.Queries.Rows, d.Base.Dim, d.Digest)
	}
	if _, err := os.Stat(filepath.Join(p.Cache, "embeddings")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("something was embedded")
	}
	plan, err := p.Plan(sweep, d, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bench.EstimatePlan(t.Context(), sweep, d.Set, plan); err != nil {
		t.Error(err)
	}
	sweep.Queries = 100
	if _, _, err := p.Foresee(t.Context(), sweep); err == nil {
		t.Error("all vectors are queries, and no error")
	}
}

// An expression that the attributes of images cannot have is refused before anything is embedded, by run and by plan, with
// the file and the attributes that there are.
func TestWhereIsCheckedBeforeEmbedding(t *testing.T) {
	shop := images(t)
	table := filepath.Join(shop, "attributes.csv")
	text := "id,price\n"
	for _, label := range []string{"red", "green", "blue"} {
		for n := range 8 {
			text += fmt.Sprintf("%s/%c.jpg,%d\n", label, 'a'+n, n)
		}
	}
	if err := os.WriteFile(table, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	asked := func(data, where string) error {
		t.Helper()
		p := &pipeline.Pipeline{Cache: t.TempDir()}
		sweep := testSweep(t, "data: "+data+"\nqueries: 6\nfamilies: [{family: flat}]\nfilters: [{where: \""+where+"\"}]\n")
		_, _, planned := p.Foresee(t.Context(), sweep)
		_, ran := p.Run(t.Context(), pipeline.RunConfig{Sweep: sweep, Out: t.TempDir()})
		if planned == nil || ran == nil || planned.Error() != ran.Error() {
			t.Errorf("%s: plan says %v, run %v", where, planned, ran)
		}
		if _, err := os.Stat(filepath.Join(p.Cache, "embeddings")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: something was embedded", where)
		}
		return cmp.Or(ran, errors.New(""))
	}
	for where, want := range map[string]string{
		"prise < 5":             "among the attributes of " + table + " (price, category): filter, column 1: no attribute \"prise\"; did you mean \"price\"?",
		"size = 3":              "no attribute \"size\"; known are price, category",
		"category = 'rad'":      "no vector has category \"rad\"; did you mean \"red\"?",
		"price = 'x'":           "price takes a number, not a text",
		"price > 5 and price<3": "none of the 24 vectors passes",
	} {
		if err := asked("{images: "+shop+"}", where); !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", where, err)
		}
	}
	if err := asked("{rendered: {garments: 30, scenes: 20, seed: 1}}", "prise < 5"); !strings.Contains(err.Error(), "no attribute \"prise\"") {
		t.Error(err)
	}
}
