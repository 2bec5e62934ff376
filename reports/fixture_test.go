package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// fixture is a results folder with the shape of a real one, made in code from a seed: seven families
// with the speeds, sizes and recalls that such indexes have on 9,000 vectors of 512 dimensions.
type fixture struct {
	seed    uint64
	reps    int
	ks      []int
	labels  bool
	gallery bool
	thumbs  bool
	broken  bool // some cells fail, run out of time or are skipped
	extras  bool // loads beside latency, losses of mAP, confusion, reasons in the gallery, a map
}

// everything is a results folder of which every part of the page has something to show.
func everything() fixture {
	f := usual()
	f.extras = true
	return f
}

func usual() fixture {
	return fixture{seed: 1, reps: 3, ks: []int{10}, labels: true, gallery: true, thumbs: true, broken: true}
}

const (
	fixtureDigest = "sha256:7c1ddc5bb2a0d1a4e1f3a7f0c2f2c1b5de9ce5a3f2b77a0f9d1c88be01f4a6d2"
	fixtureBase   = 9000
)

var fixtureLabels = []string{"bag", "coat", "dress", "hat", "jeans", "shirt", "shoes", "skirt"}

type point struct {
	search      string
	recall, qps float64
}

type simulated struct {
	family, library, build string
	exact                  bool
	seconds, bytes, file   float64
	points                 []point
}

var simulation = []simulated{
	{"flat", "annbench", "", true, 0.0031, 19.1e6, 18.4e6, []point{{"", 1, 1620}}},
	{"flat-faiss", "faiss", "", true, 0.0054, 18.9e6, 18.4e6, []point{{"", 1, 1180}}},
	{"forest", "annbench", "leaf=128 trees=10", false, 0.082, 26.2e6, 24.6e6, []point{
		{"search_k=200", .871, 17400},
		{"search_k=500", .941, 12700},
		{"search_k=1000", .974, 9300},
		{"search_k=4000", .9962, 4200},
	}},
	{"hnsw-coder", "coder/hnsw", "M=16 Ml=0.25", false, 1.93, 26.9e6, 25.8e6, []point{{"ef=20 fetch=10", .131, 9400}, {"ef=200 fetch=100", .344, 8100}}},
	{"hnsw-faiss", "faiss", "M=32 efConstruction=200", false, 1.04, 21.9e6, 20.9e6, []point{
		{"efSearch=10", .928, 12100},
		{"efSearch=16", .968, 10400},
		{"efSearch=32", .991, 7300},
		{"efSearch=64", .9993, 4700},
	}},
	{"ivfflat-faiss", "faiss", "nlist=96", false, 0.21, 19.6e6, 18.8e6, []point{{"nprobe=1", .661, 21000}, {"nprobe=4", .914, 12400}, {"nprobe=8", .979, 8200}, {"nprobe=16", .9971, 4900}}},
	{"ivfpq-faiss", "faiss", "m=64 nbits=8 nlist=96", false, 9.7, 1.62e6, 1.31e6, []point{{"nprobe=1", .572, 15500}, {"nprobe=8", .778, 8900}, {"nprobe=32", .803, 4100}}},
}

func fixtureEnv() record.Env {
	return record.Env{
		CPU: "AMD EPYC 9V74 80-Core Processor", Features: []string{"avx2", "avx512f", "avx512vnni", "fma3"},
		Cores: 2, Memory: 25e9, OS: "Linux 6.1, Debian GNU/Linux 12", Go: "go1.26.8", Commit: "72db21d+dirty",
		Libraries: map[string]string{"faiss": "1.7.3 (avx2)", "coder/hnsw": "v0.6.1", "annbench": "avx512"},
	}
}

// write makes the folder and returns its name.
func (f fixture) write(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "fashion")
	f.writeTo(t, dir)
	return dir
}

func (f fixture) writeTo(t testing.TB, dir string) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(os.MkdirAll(dir, 0o755))
	rng := rand.New(rand.NewPCG(f.seed, 2))
	counts := map[string]int{}
	ds := record.Dataset{Name: "fashion boards", Digest: fixtureDigest, Base: fixtureBase, Queries: 1000, Dim: 512, Warnings: []string{"12 vectors of the base are exact duplicates of another"}}
	if f.labels {
		for i, l := range fixtureLabels {
			counts[l] = 600 + 150*i
			ds.Labels = append(ds.Labels, record.LabelCount{Label: l, Base: counts[l], Queries: 70 + 15*i})
		}
		ds.Embedding = &record.Embedding{
			Model: "resnet18-garments", ModelDigest: "sha256:1f0c55aa90", Source: "rendered boards, seed 1", Device: "cuda",
			Refusals: []string{"webgpu: no adapter was found"}, Images: 10000, Seconds: 41.8,
			Skipped: []record.Failure{{ID: "dress/0113.jpg", Reason: "unexpected EOF"}, {ID: "hat/0007.png", Reason: "invalid checksum"}},
			Card:    json.RawMessage(`{"name":"resnet18-garments","trained_on":"3,095 photographs, train split","epochs":24,"accuracy":{"top1":0.872,"top3":0.968},"input":[96,96,3]}`),
		}
	}
	if f.extras {
		bad := .25
		ds.Difficulty = []record.Difficulty{{
			Metric: "cosine", Neighbors: 100, LID: 8.1, LIDDeciles: []float64{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 21}, Contrast: 2.4,
			HubnessK: 10, Hubness: 1.3, Orphans: .21, LargestHub: 41, BadHubness: &bad, Shift: .99, ShiftNull: []float64{.98, 1.02}, Dims50: 4, Dims90: 25, Dims99: 274,
		}}
	}
	check(record.WriteJSON(filepath.Join(dir, record.DatasetFile), ds))

	g, items := f.makeGallery(rng, counts)
	clock := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	var records []record.Record
	for rep := range f.reps {
		for _, s := range simulation {
			for _, p := range s.points {
				for _, k := range f.ks {
					clock = clock.Add(time.Second)
					records = append(records, f.record(rng, s, p, k, rep, clock, g, items))
				}
			}
		}
	}
	if f.extras {
		for rep := range f.reps {
			records = append(records, f.loads(rng, rep, clock)...)
		}
		check(record.WriteJSON(filepath.Join(dir, record.MapFile), f.plane(rng)))
	}
	if f.broken {
		failed := func(family, lib, build, search string, s record.Status, msg string) {
			for rep := range f.reps {
				records = append(records, record.Record{
					Cell:    record.Cell{Dataset: fixtureDigest, Metric: "cosine", Family: family, Build: build, Search: search, K: f.ks[0], Threads: 1, Mode: record.Latency},
					Library: lib, Rep: rep, Seed: 1, Engine: "1", Time: clock, Status: s, Error: msg, Env: fixtureEnv(),
				})
			}
		}
		failed("hnsw-coder", "coder/hnsw", "M=2 Ml=0.25", "ef=20 fetch=10", record.Failed, "worker ended: signal: segmentation fault; last lines: panic: runtime error: index out of range [3] with length 3")
		failed("ivfpq-faiss", "faiss", "m=128 nbits=8 nlist=1024", "nprobe=8", record.Timeout, "ended after 2m0s while building (train)")
		failed("pgvector", "pgvector", "lists=100", "probes=10", record.Skipped, "this build of annbench has no pgvector: start a server and name it with --pgvector")
	}
	var all bytes.Buffer
	for i := range records {
		b, err := json.Marshal(&records[i])
		check(err)
		all.Write(append(b, '\n'))
	}
	check(os.WriteFile(filepath.Join(dir, record.RecordsFile), all.Bytes(), 0o644))
	if g == nil {
		return
	}
	check(record.WriteJSON(filepath.Join(dir, record.GalleryFile), g))
	if f.thumbs {
		check(os.MkdirAll(filepath.Join(dir, record.ThumbsDir), 0o755))
		save := func(it record.Item) {
			check(os.WriteFile(filepath.Join(dir, it.Thumb), drawThumb(it), 0o644))
		}
		for _, q := range g.Queries {
			save(q)
		}
		for _, it := range g.Base {
			save(it)
		}
	}
}

func (f fixture) record(rng *rand.Rand, s simulated, p point, k, rep int, at time.Time, g *record.Gallery, items []record.Item) record.Record {
	noise := func() float64 { return math.Exp(rng.NormFloat64() * 0.025) }
	random := 0.0
	if !s.exact {
		random = rng.NormFloat64() * 0.002
	}
	recall := min(1, max(0, p.recall+random*(1-p.recall)*4))
	qps := p.qps * noise()
	mean := 1 / qps
	m := 0.812 * (1 - 0.55*math.Pow(1-recall, 1.6))
	r := record.Record{
		Cell:    record.Cell{Dataset: fixtureDigest, Metric: "cosine", Family: s.family, Build: s.build, Search: p.search, K: k, Threads: 1, Mode: record.Latency},
		Library: s.library, Exact: s.exact, Rep: rep, Seed: uint64(rep + 1), Engine: "1", Time: at, Status: record.OK, Env: fixtureEnv(),
		Values: map[string]float64{
			metric.Recall: recall, metric.RecallID: max(0, recall-0.0004), metric.DistRatio: 1 + 0.2*(1-recall),
			metric.Mean: mean, metric.P50: mean * 0.96, metric.P90: mean * 1.22, metric.P99: mean * 1.7 * noise(), metric.P999: mean * 3 * noise(), metric.QPS: qps,
			metric.Build: s.seconds * noise(), metric.BuildCPU: s.seconds * noise(), metric.Load: s.file / 2e9 * noise(),
			metric.Resident: s.bytes * math.Exp(rng.NormFloat64()*0.004), metric.Serialized: s.file, metric.Analytic: s.file, metric.PeakBuild: s.bytes * 1.6,
		},
	}
	if f.labels {
		r.Values[metric.MAP], r.Values[metric.MAPExact] = m, 0.812
		by := map[string]float64{}
		for i, l := range fixtureLabels {
			by[l] = min(1, m*(0.72+0.36*math.Abs(math.Sin(float64(i)*1.7))))
		}
		r.ByLabel = map[string]map[string]float64{metric.MAP: by}
	}
	if f.extras {
		r.Values[metric.MAPDelta], r.Values[metric.MAPDeltaLo], r.Values[metric.MAPDeltaHi] = m-0.812, m-0.812-.004, m-0.812+.004
		r.ByDecile = map[string][]float64{metric.Recall: {}}
		for i := range 10 {
			r.ByDecile[metric.Recall] = append(r.ByDecile[metric.Recall], recall*(1-.01*float64(i)))
		}
		lo, hi := map[string]float64{}, map[string]float64{}
		for i, l := range fixtureLabels {
			lo[l], hi[l] = r.ByLabel[metric.MAP][l]-.05, min(1, r.ByLabel[metric.MAP][l]+.05)
			row := make([]int, len(fixtureLabels))
			row[i], row[(i+1)%len(row)] = 800, 200
			r.Confusion = append(r.Confusion, row)
		}
		r.ByLabel["map_lo"], r.ByLabel["map_hi"] = lo, hi
	}
	if s.family == "hnsw-coder" {
		r.Warnings = []string{"answers came unsorted; they were sorted by the family's adapter"}
	}
	if g != nil && rep == 0 {
		for qi := range g.Queries {
			var a []int32
			for _, id := range g.Truth["cosine"][qi] {
				if rng.Float64() < recall {
					a = append(a, id)
				}
			}
			for len(a) < k {
				if id := int32(rng.IntN(len(items))); !slices.Contains(a, id) {
					a = append(a, id)
				}
			}
			r.Answers = append(r.Answers, a[:k])
			for _, id := range a[:k] {
				g.Base[id] = items[id]
			}
		}
	}
	return r
}

// loads are one setting of each family under load: throughput over two numbers of threads, and
// arrivals at three rates.
func (f fixture) loads(rng *rand.Rand, rep int, at time.Time) []record.Record {
	var out []record.Record
	for _, s := range simulation {
		p := s.points[len(s.points)-1]
		add := func(mode string, workers int, rate float64, values map[string]float64) {
			out = append(out, record.Record{
				Cell: record.Cell{
					Dataset: fixtureDigest, Metric: "cosine", Family: s.family, Build: s.build, Search: p.search, K: f.ks[0], Threads: 1,
					Mode: mode, Workers: workers, Rate: rate,
				},
				Library: s.library, Exact: s.exact, Rep: rep, Seed: 1, Engine: "1", Time: at, Status: record.OK, Env: fixtureEnv(), Values: values,
			})
		}
		noise := func() float64 { return math.Exp(rng.NormFloat64() * 0.02) }
		for _, workers := range []int{1, 2} {
			add(record.Throughput, workers, 0, map[string]float64{metric.QPS: p.qps * math.Pow(float64(workers), .9) * noise()})
		}
		for _, rate := range []float64{100, 500, 1500} {
			busy := min(.98, rate/p.qps)
			add(record.OpenLoop, 1, rate, map[string]float64{metric.P99: 2 / p.qps / (1 - busy) * noise(), metric.Mean: 1 / p.qps / (1 - busy)})
		}
	}
	return out
}

// plane is a map of two projections, a cloud for each category.
func (f fixture) plane(rng *rand.Rand) *record.Map {
	m := &record.Map{Digest: "x", Rows: 10000, Metric: "cosine", Labels: fixtureLabels}
	m.Methods = []record.Projection{{Name: "PCA", Note: "linear", Kept: .21}, {Name: "t-SNE", Note: "perplexity 30", Kept: .64}}
	for i := range 600 {
		l := i % len(fixtureLabels)
		m.ID, m.Label = append(m.ID, fmt.Sprint("item ", i)), append(m.Label, l)
		for j := range m.Methods {
			sin, cos := math.Sincos(float64(l) * 2 * math.Pi / float64(len(fixtureLabels)))
			m.Methods[j].X = append(m.Methods[j].X, cos*float64(1+j)+rng.NormFloat64()*.3)
			m.Methods[j].Y = append(m.Methods[j].Y, sin*float64(1+j)+rng.NormFloat64()*.3)
		}
	}
	return m
}

func (f fixture) makeGallery(rng *rand.Rand, counts map[string]int) (*record.Gallery, []record.Item) {
	if !f.gallery {
		return nil, nil
	}
	item := func(kind string, i int) record.Item {
		it := record.Item{ID: fmt.Sprintf("%s-%04d.jpg", kind, i)}
		l := fixtureLabels[rng.IntN(len(fixtureLabels))]
		if f.labels {
			it.ID, it.Label = l+"/"+it.ID, l
		}
		if f.thumbs {
			it.Thumb = fmt.Sprintf("%s/%s-%d.jpg", record.ThumbsDir, kind, i)
		}
		return it
	}
	var items []record.Item
	for i := range 160 {
		items = append(items, item("base", i))
	}
	g := &record.Gallery{Base: map[int32]record.Item{}, Truth: map[string][][]int32{}}
	for i := range 8 {
		q := item("query", i)
		g.Queries = append(g.Queries, q)
		if f.extras {
			g.Why = append(g.Why, [...]string{"drawn at random", "worst recall", "next to a hub", "most disagreement"}[i/2])
		}
		if f.labels {
			g.Relevant = append(g.Relevant, counts[q.Label])
		}
		var truth []int32
		for len(truth) < slices.Max(f.ks) {
			id := int32(rng.IntN(len(items)))
			if slices.Contains(truth, id) || items[id].Label != q.Label && rng.Float64() < 0.997 {
				continue
			}
			truth = append(truth, id)
			g.Base[id] = items[id]
		}
		g.Truth["cosine"] = append(g.Truth["cosine"], truth)
	}
	return g, items
}

// drawThumb draws a garment of the item's category on a pale ground, in a colour of its own.
func drawThumb(it record.Item) []byte {
	h := fnv.New64a()
	h.Write([]byte(it.ID))
	rng := rand.New(rand.NewPCG(h.Sum64(), 3))
	const n = 96
	img := image.NewRGBA(image.Rect(0, 0, n, n))
	ground := color.RGBA{uint8(232 + rng.IntN(20)), uint8(230 + rng.IntN(20)), uint8(226 + rng.IntN(20)), 255}
	cloth := color.RGBA{uint8(30 + rng.IntN(190)), uint8(30 + rng.IntN(170)), uint8(40 + rng.IntN(190)), 255}
	stripe := rng.IntN(3) == 0
	for y := range n {
		for x := range n {
			u, v := math.Abs(float64(x)/n-0.5), float64(y)/n
			in := false
			switch it.Label {
			case "bag":
				in = v > .42 && v < .85 && u < .33 || v > .2 && v <= .42 && math.Abs(math.Hypot(u, v-.42)-.2) < .035
			case "coat":
				in = v > .12 && v < .92 && u < .2+.06*v || v > .15 && v < .7 && u < .34
			case "dress":
				in = v > .1 && v < .92 && u < .12+.3*max(0, v-.35) || v > .14 && v < .3 && u < .2
			case "hat":
				in = v > .3 && v < .62 && u < .22 || v >= .58 && v < .7 && u < .42
			case "jeans":
				in = v > .08 && v < .3 && u < .2 || v >= .28 && v < .94 && u > .03 && u < .22
			case "shirt":
				in = v > .18 && v < .85 && u < .22 || v > .18 && v < .42 && u < .38
			case "shoes":
				in = v > .5 && v < .72 && u < .4 && !(u > .2 && v < .6)
			default:
				in = v > .2 && v < .82 && u < .14+.28*(v-.2)
			}
			c := ground
			if in {
				c = cloth
				if stripe && (x+y)/6%2 == 0 {
					c = color.RGBA{cloth.R/2 + 110, cloth.G/2 + 110, cloth.B/2 + 110, 255}
				}
			}
			img.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 80}); err != nil {
		panic(err)
	}
	return b.Bytes()
}
