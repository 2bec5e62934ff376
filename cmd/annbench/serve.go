package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"image"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"annbench/bench/lease"
	"annbench/bench/pipeline"
	"annbench/bench/record"
	"annbench/embedder"
	"annbench/online"
	"annbench/serve"
)

type serveCmd struct {
	Results    string   `arg:"" help:"Results folder of a run, on the machine that ran it, or with all that it needs (annbench pack)." s3:"whole"`
	Listen     string   `default:"127.0.0.1:8080" help:"Address to listen on. If other machines can reach it, a token is needed." placeholder:"ADDR"`
	Host       []string `help:"Host names under which others reach the server, such as search.example.org." placeholder:"NAME"`
	Settings   int      `default:"3" help:"At most this many settings of each family: the fastest with a recall of 0.95, the most accurate, the fastest." placeholder:"N"`
	Device     []string `help:"Where pictures are embedded: cuda, webgpu or cpu, tried in this order." placeholder:"DEVICE"`
	Interleave string   `help:"Mix the answers of two indexes (families, IDs, or exact) on the page /shop, and note what is clicked." xor:"experiment" placeholder:"A,B"`
	Split      string   `help:"Answer each session on the page /shop by one of two indexes, and note what is clicked." xor:"experiment" placeholder:"A,B"`
	Clicks     string   `help:"Folder of the log of clicks. Default: RESULTS/clicks." placeholder:"DIR" s3:"work"`
	AddItems   bool     `help:"Take new items (POST /api/v1/items), with the token, and keep them in RESULTS/added."`
	NoModel    bool     `help:"Do not load the model: items can be searched for, pictures cannot."`
}

// Help is printed below the flags.
func (serveCmd) Help() string {
	return `Opens the results as a visual search in the browser: pick an item or a picture of your own, and see
what two of the measured indexes answer, side by side. docs/howto/serve.md has the rest, with the API.

Indexes that the run kept (--keep-indexes) are loaded; others are built again with their recorded
settings, and kept from then on. SIGHUP opens the results again, without losing a request.

With --add-items, programs add items by POST /api/v1/items, which needs the token.

If --listen is an address that other machines can reach, every request needs a token: the value of
ANNBENCH_TOKEN, or a random one that is printed.

With --interleave or --split, the page /shop compares two indexes by what people click; annbench online
says what the log shows.

Examples:
  annbench serve results/default
  annbench serve results/default --interleave forest,hnsw-faiss
  annbench serve results/default --listen :8080`
}

func (c *serveCmd) Run(ctx context.Context, s *surface) (err error) {
	token, err := c.token()
	if err != nil {
		return err
	}
	// Whatever does not end when asked must not keep the process: loading an index, a model at work.
	ended := make(chan struct{})
	defer close(ended)
	context.AfterFunc(ctx, func() {
		select {
		case <-ended:
		case <-time.After(stopWithin):
			fmt.Fprintln(s.err, "annbench: something did not end in time; the process ends without it")
			os.Exit(exitFailed)
		}
	})
	s.stopped = "stopped before the server answered anything"
	content, err := c.open(ctx, s)
	if err != nil {
		return err
	}
	config := serve.Config{Content: content, Token: token, Hosts: c.Host, Log: s.log}
	finish := func() error { return nil }
	if c.Interleave != "" || c.Split != "" {
		if config.Experiment, finish, err = c.experiment(ctx, content.Points); err != nil {
			return errors.Join(err, content.Close())
		}
	}
	defer func() { err = errors.Join(err, finish()) }()
	if !c.AddItems && serve.HasAdditions(c.added()) {
		s.log.Warn("items that were added to these results are not served: give --add-items", "folder", c.added())
	}
	if c.AddItems {
		additions, done, err := c.additions(ctx, content.Library)
		if err != nil {
			return errors.Join(err, content.Close())
		}
		defer done()
		config.Additions = additions
	}
	server, err := serve.New(config)
	if err != nil {
		return errors.Join(err, content.Close())
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return errors.Join(misuse(fmt.Errorf("--listen %s: %w", c.Listen, err)), server.Close())
	}
	s.clear()
	fmt.Fprintln(s.out, server.Summary()) // with what was added
	for _, a := range serve.Addresses(l.Addr()) {
		fmt.Fprintf(s.out, "http://%s\n", a)
		if e := config.Experiment; e != nil {
			fmt.Fprintf(s.out, "http://%s/shop compares: %s\n", a, e.Name)
		}
	}
	if token != "" && os.Getenv(tokenVariable) == "" {
		fmt.Fprintf(s.out, "token: %s\n", token)
	}
	go c.reload(ctx, s, server)
	s.served = true // to be stopped is how it ends
	if err := server.Serve(ctx, l); err != nil {
		return err // what is left at work may still use what would be closed
	}
	return server.Close()
}

// added is the folder of new items.
func (c *serveCmd) added() string { return filepath.Join(c.Results, "added") }

// additions opens the file of new items. No other process writes to it until done is called.
func (c *serveCmd) additions(ctx context.Context, l *serve.Library) (a *serve.Additions, done func(), err error) {
	dir := c.added()
	held, err := takeFolder(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	if a, err = serve.OpenAdditions(dir, l); err != nil {
		held.Release()
		return nil, nil, err
	}
	return a, func() {
		_ = a.Close() // all of it is synced
		held.Release()
	}, nil
}

// takeFolder makes the folder dir where it is not there, and keeps other processes from writing to it until the lease is
// released.
func takeFolder(ctx context.Context, dir string) (*lease.Lease, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	held, err := lease.Take(ctx, filepath.Join(dir, ".lease"), nil)
	if errors.Is(err, lease.ErrHeld) {
		return nil, fmt.Errorf("another server writes to %s (%w): end it first, or serve a copy of the results", dir, err)
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return held, nil
}

// experiment begins the one that was asked for. No other process writes to its log meanwhile; finish ends that.
func (c *serveCmd) experiment(ctx context.Context, points []*serve.Point) (e *serve.Experiment, finish func() error, err error) {
	dir := cmp.Or(c.Clicks, filepath.Join(c.Results, online.Folder))
	mode := online.Interleaved
	if c.Split != "" {
		mode = online.Split
	}
	held, err := takeFolder(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	log, err := online.OpenLog(dir)
	if err != nil {
		held.Release()
		return nil, nil, err
	}
	finish = func() error {
		defer held.Release()
		return log.Close()
	}
	if e, err = serve.NewExperiment(mode, cmp.Or(c.Interleave, c.Split), points, log); err != nil {
		return nil, nil, errors.Join(misuse(err), finish())
	}
	return e, finish, nil
}

// stopWithin is how long the process may take to end.
const stopWithin = 4800 * time.Millisecond

// reload opens the results again at every SIGHUP, and has them served in place of the first.
func (c *serveCmd) reload(ctx context.Context, s *surface, server *serve.Server) {
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	defer signal.Stop(again)
	for {
		select {
		case <-ctx.Done():
			return
		case <-again:
		}
		content, err := c.open(ctx, s)
		if err == nil {
			if err = server.Replace(content); err != nil {
				err = errors.Join(err, content.Close())
			}
		}
		if err != nil {
			s.log.Error("the results are not opened again, those from before are served", "error", err)
			continue
		}
		s.log.Info("the results were opened again", "what", server.Summary())
	}
}

// open opens everything that the results need to be searched.
func (c *serveCmd) open(ctx context.Context, s *surface) (content serve.Content, err error) {
	var closers []func() error
	content.Close = func() error {
		var all error
		for i := len(closers) - 1; i >= 0; i-- {
			all = errors.Join(all, closers[i]())
		}
		return all
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, content.Close())
		}
	}()
	results, err := record.Open(c.Results)
	if err != nil {
		return content, misuse(err)
	}
	p := s.pipeline(ctx)
	set, err := p.SetFor(ctx, results)
	if err != nil {
		return content, err
	}
	closers = append(closers, set.Close)
	if err := set.Verify(ctx); err != nil {
		return content, err
	}
	src, err := pipeline.ReadOrigin(c.Results)
	if err != nil {
		return content, err
	}
	if src, err = originHere(ctx, s, src); err != nil {
		s.say("note: pictures are shown small: %v", err)
	}
	if src.Model, err = pipeline.ModelFor(ctx, results, src); err != nil {
		return content, err
	}
	lc := serve.LibraryConfig{Results: results, Set: set}
	if lc.Thumbnails, err = p.PicturesFor(ctx, results, set.Collection, src); err != nil {
		return content, err
	} else if lc.Thumbnails != nil {
		closers = append(closers, lc.Thumbnails.Close)
	}
	if lc.Source, err = src.Open(); err != nil {
		s.say("note: pictures are shown small: %v", err)
	}
	if content.Library, err = serve.NewLibrary(lc); err != nil {
		return content, err
	}
	content.Points, err = serve.OpenPoints(ctx, results, content.Library, serve.PointOptions{
		PerFamily: c.Settings, Say: func(what string) { s.say("%s", what) },
	})
	if err != nil {
		return content, err
	}
	closers = append(closers, func() error { return serve.ClosePoints(content.Points) })
	for _, p := range content.Points {
		if p.Missing != "" {
			s.say("note: %s %s cannot be searched: %s", p.Cell.Family, p.Cell.Settings(), p.Missing)
		}
	}
	session, why := c.model(s, results, src)
	content.NoEmbed = why
	if session != nil {
		closers = append(closers, session.Close)
		content.Embed = embedOne(session)
	}
	return content, nil
}

const tokenVariable = "ANNBENCH_TOKEN"

// token is what requests have to carry: nothing where only this machine can reach the server.
func (c *serveCmd) token() (string, error) {
	token := os.Getenv(tokenVariable)
	if token != "" && len(token) < 8 {
		return "", misuse(fmt.Errorf("%s is too short to keep anybody out: give it 8 characters at least", tokenVariable))
	}
	if token == "" && (c.AddItems || !serve.Loopback(c.Listen)) {
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
		err = fmt.Errorf("the model %s is not the %s that made these vectors", card.Name, e.Model)
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
