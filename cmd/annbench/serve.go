package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"image"
	"net"
	"os"

	"annbench/bench/pipeline"
	"annbench/bench/record"
	"annbench/embedder"
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
what two of the measured indexes answer, side by side. docs/howto/serve.md has the rest, with the API.

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
	p := s.pipeline(ctx)
	set, err := p.SetOf(results.Dataset.Digest)
	if err != nil {
		return fmt.Errorf("the vectors of %s are not in the cache (%w): run it again, which measures nothing that is there, or set ANNBENCH_CACHE", c.Results, err)
	}
	defer set.Close()
	if err := set.Verify(ctx); err != nil {
		return err
	}
	src, err := originHere(ctx, s, pipeline.ReadOrigin(c.Results))
	if err != nil {
		s.say("note: pictures are shown small: %v", err)
	}
	lc := serve.LibraryConfig{Results: results, Set: set, Thumbnails: p.Pictures(set.Collection, src)}
	if lc.Thumbnails != nil {
		defer lc.Thumbnails.Close()
	}
	if lc.Source, err = src.Open(); err != nil {
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
	for _, a := range serve.Addresses(l.Addr()) {
		fmt.Fprintf(s.out, "http://%s\n", a)
	}
	if token != "" && os.Getenv(tokenVariable) == "" {
		fmt.Fprintf(s.out, "token: %s\n", token)
	}
	s.served = true // to be stopped is how it ends
	return server.Serve(ctx, l)
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

// model opens the model that the results' pictures were embedded with. why says why there is none.
func (c *serveCmd) model(s *surface, r *record.Results, src pipeline.Origin) (session *embedder.Session, why string) {
	e := r.Dataset.Embedding
	switch {
	case c.NoModel:
		return nil, "it was started without the model"
	case e == nil:
		return nil, "these vectors were not made by annbench, so that no model for them is known"
	}
	card, err := embedder.OpenCard(src.Model, 0)
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

// originHere is o with what has an address fetched. Where that fails, it is without.
func originHere(ctx context.Context, s *surface, o pipeline.Origin) (pipeline.Origin, error) {
	var all error
	for _, path := range []*string{&o.Images, &o.TSV, &o.Vectors} {
		local, err := s.storage.Here(ctx, *path, nil)
		*path, all = local, errors.Join(all, err)
	}
	var err error
	o.Model, err = s.storage.Card(ctx, o.Model)
	return o, errors.Join(all, err)
}
