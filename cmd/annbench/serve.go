package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"annbench/bench"
	"annbench/bench/dataset"
	"annbench/bench/dataset/collection"
	"annbench/bench/record"
	"annbench/bench/store"
	"annbench/embedder"
	"annbench/embedder/catalog"
	"annbench/indexes/vec"
	"annbench/serve"
)

type serveCmd struct {
	Results  string   `arg:"" help:"Results folder of a run, on the machine that ran it: the vectors are taken from its cache." s3:"whole"`
	Listen   string   `default:"127.0.0.1:8080" help:"Address to answer at. One that others can reach asks for a token." placeholder:"ADDR"`
	Host     []string `help:"Names by which others reach it, such as search.example.org." placeholder:"NAME"`
	Settings int      `default:"3" help:"Settings of each family, at most: fastest with a recall of 0.95, most accurate, fastest." placeholder:"N"`
	Device   []string `help:"Where pictures are embedded: cuda, webgpu or cpu, tried in this order." placeholder:"DEVICE"`
	NoModel  bool     `help:"Do not load the model: items can be searched for, pictures cannot."`
}

// Help is printed below the flags.
func (serveCmd) Help() string {
	return `Opens the results as a visual search in the browser: pick an item or a picture of your own, and see
what two of the measured indexes answer, side by side. docs/serve.md tells the rest, with the API.

Indexes that the run kept (--keep-indexes) are loaded; others are built again with their recorded
settings, and kept from then on.

With another address than that of this machine alone, every request has to carry a token: what
ANNBENCH_TOKEN says, or one that is drawn and printed.

Examples:
  annbench serve results/default
  annbench serve results/default --listen :8080`
}

func (c *serveCmd) Run(ctx context.Context, s *surface) (err error) {
	token, err := c.token()
	if err != nil {
		return err
	}
	results, err := record.Open(c.Results)
	if err != nil {
		return misuse(err)
	}
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	set, err := dataset.OpenSet(filepath.Join(cache, "sets", "set-"+results.Dataset.Digest[:min(16, len(results.Dataset.Digest))]))
	if err != nil {
		return fmt.Errorf("the vectors of %s are not in the cache (%w): run it again, which measures nothing that is there, or set ANNBENCH_CACHE", c.Results, err)
	}
	defer set.Close()
	src, err := readSource(c.Results).here(ctx, s)
	if err != nil {
		s.say("note: pictures are shown small: %v", err)
	}
	lc := serve.LibraryConfig{Results: results, Set: set, Metric: metricOf(results), Thumbnails: thumbnails(cache, set.Collection, src)}
	if lc.Thumbnails != nil {
		defer lc.Thumbnails.Close()
	}
	if lc.Source, err = src.open(); err != nil {
		s.say("note: pictures are shown small: %v", err)
	}
	library, err := serve.NewLibrary(lc)
	if err != nil {
		return err
	}
	points, err := serve.OpenPoints(ctx, results, library, serve.PointOptions{
		PerFamily: c.Settings, Say: func(what string) { s.say("%s", what) },
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, serve.ClosePoints(points)) }()
	ready := 0
	for _, p := range points {
		if p.Missing != "" {
			s.say("note: %s %s cannot be searched: %s", p.Cell.Family, p.Cell.Settings(), p.Missing)
			continue
		}
		ready++
	}
	sc := serve.Config{Library: library, Points: points, Token: token, Hosts: c.Host, Log: s.log}
	session, why := c.model(s, results, src)
	if session != nil {
		defer session.Close()
		sc.Embed = embedOne(session)
	}
	sc.NoEmbed = why
	server, err := serve.New(sc)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return misuse(fmt.Errorf("--listen %s: %w", c.Listen, err))
	}
	s.clear()
	fmt.Fprintf(s.out, "%s: %d items, %d indexes ready\n", results.Dataset.Name, set.Base.Rows, ready)
	for _, a := range reachable(l.Addr()) {
		fmt.Fprintf(s.out, "http://%s\n", a)
	}
	if token != "" && os.Getenv(tokenVariable) == "" {
		fmt.Fprintf(s.out, "token: %s\n", token)
	}
	s.served = true // to be stopped is how it ends
	return server.Serve(ctx, l)
}

// reachable are the addresses to open: of a listener on all of this machine's, that for this machine itself,
// and then those for others.
func reachable(at net.Addr) []string {
	tcp, ok := at.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return []string{at.String()}
	}
	port := strconv.Itoa(tcp.Port)
	all := []string{net.JoinHostPort("127.0.0.1", port)}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return all
	}
	for _, a := range own {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			all = append(all, net.JoinHostPort(n.IP.String(), port))
		}
	}
	return all
}

const tokenVariable = "ANNBENCH_TOKEN"

// token is what requests have to carry: nothing where only this machine can reach the server.
func (c *serveCmd) token() (string, error) {
	token := os.Getenv(tokenVariable)
	if token != "" && len(token) < 8 {
		return "", misuse(fmt.Errorf("%s is too short to keep anybody out: give it 8 characters at least", tokenVariable))
	}
	if token == "" && !serve.Loopback(c.Listen) {
		token = rand.Text()
	}
	return token, nil
}

// metricOf is the metric that is served: that of the first record.
func metricOf(r *record.Results) vec.Metric {
	for _, rec := range r.Records {
		if m, err := vec.ParseMetric(rec.Cell.Metric); err == nil {
			return m
		}
	}
	return vec.Cosine
}

// thumbnails opens the collection of that digest, if it is to be found; nil where it is not.
func thumbnails(cache, digest string, src origin) *collection.Collection {
	dirs, err := filepath.Glob(filepath.Join(cache, "embeddings", "*"))
	if err != nil {
		return nil
	}
	if src.Vectors != "" {
		dirs = append(dirs, src.Vectors)
	}
	for _, dir := range dirs {
		var meta collection.Meta
		if record.ReadJSON(filepath.Join(dir, "meta.json"), &meta) != nil || meta.Digest != digest || meta.Thumbs == 0 {
			continue
		}
		if c, err := collection.OpenFolder(dir); err == nil {
			return c
		}
	}
	return nil
}

// model opens the model that the results' pictures were embedded with. why says why there is none.
func (c *serveCmd) model(s *surface, r *record.Results, src origin) (session *embedder.Session, why string) {
	e := r.Dataset.Embedding
	switch {
	case c.NoModel:
		return nil, "it was started without the model"
	case e == nil:
		return nil, "these vectors were not made by annbench, so that no model for them is known"
	}
	job := embedJob{model: src.Model}
	card, err := job.card()
	if err == nil && card.SHA256 != e.ModelDigest {
		err = fmt.Errorf("the model %s that is at hand is not the %s that made these vectors", card.Name, e.Model)
	}
	var devices []embedder.Device
	if err == nil {
		devices, err = embedder.ParseDevices(c.Device)
	}
	if err == nil {
		session, err = embedder.OpenSession(card, embedder.SessionOptions{Devices: devices, Log: s.log})
	}
	if err != nil {
		s.say("note: pictures cannot be searched for: %v", err)
		return nil, err.Error()
	}
	return session, ""
}

func embedOne(session *embedder.Session) func(image.Image) ([]float32, error) {
	return func(img image.Image) ([]float32, error) {
		v, _, err := session.Run([]image.Image{img})
		if err != nil {
			return nil, err
		}
		return v.Row(0), nil
	}
}

// origin says where a run's pictures came from, so that they can be shown in full.
type origin struct {
	Images   string          `json:"images,omitempty"`
	TSV      string          `json:"tsv,omitempty"`
	Rendered *bench.Rendered `json:"rendered,omitempty"`
	Vectors  string          `json:"vectors,omitempty"`
	Model    string          `json:"model,omitempty"`
}

// originFile is the name of an origin in a results folder.
const originFile = "source.json"

// keepSource notes in the results folder out where its data came from.
func keepSource(d *bench.Data, out string) error {
	src := origin{Images: d.Images, Rendered: d.Rendered, Vectors: d.Vectors, Model: d.Model}
	if d.Boards != nil {
		src.TSV, src.Images = d.Boards.TSV, d.Boards.Images
	}
	for _, path := range []*string{&src.Images, &src.TSV, &src.Vectors, &src.Model} {
		if *path == "" || store.Is(*path) {
			continue
		}
		abs, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = abs
	}
	return record.WriteJSON(filepath.Join(out, originFile), src)
}

// readSource is empty where the folder has none, or none that can be read: pictures are then shown small.
func readSource(dir string) (src origin) {
	if record.ReadJSON(filepath.Join(dir, originFile), &src) != nil {
		return origin{}
	}
	return src
}

// here is the same with what has an address fetched. Where that fails, it is without.
func (o origin) here(ctx context.Context, s *surface) (origin, error) {
	var all error
	for _, path := range []*string{&o.Images, &o.TSV, &o.Vectors} {
		local, err := s.storage.here(ctx, *path, nil)
		*path, all = local, errors.Join(all, err)
	}
	var err error
	o.Model, err = s.storage.card(ctx, o.Model)
	return o, errors.Join(all, err)
}

func (s *origin) open() (catalog.Source, error) {
	switch {
	case s.Rendered != nil:
		return catalog.RenderedBoards(catalog.Config{Boards: s.Rendered.Boards, Seed: s.Rendered.Seed})
	case s.TSV != "":
		return catalog.OpenBoards(s.TSV, s.Images)
	case s.Images != "":
		src, err := catalog.Open(s.Images)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is not there any more", strings.TrimSpace(s.Images))
		}
		return src, err
	}
	return nil, nil
}
