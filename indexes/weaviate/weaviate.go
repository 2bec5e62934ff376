// Package weaviate speaks to a Weaviate server or cluster: schema and status over REST, import and
// search over gRPC. It makes collections of bare vectors, one for each index, whose objects are numbered
// by their ids, and does nothing else of what Weaviate can.
//
// It is a client of its own because Weaviate's takes all of the server's module with it. The messages
// are written with protowire by the field numbers of Weaviate's grpc/proto/v1; google.golang.org/grpc
// carries them. Measuring is the business of package bench, starting servers that of the command.
package weaviate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// Tested is the version that the client is tested with. Oldest is the first with all that it asks for
// (rotational quantisation, flat with a choice of it); older ones are refused.
const (
	Tested = "1.35.2"
	oldest = 32 // of 1.x
)

// KeyVariable names the environment variable of the API key, for servers that want one.
const KeyVariable = "WEAVIATE_API_KEY"

// Address is where a cluster answers.
type Address struct {
	HTTP   string   // scheme://host:port
	GRPC   string   // host:port
	Debug  []string // host:port of the nodes' profiling, where it is known; see [Client.Collect]
	secure bool
}

// ParseAddress reads "host:8080", "http://host:8080" or "https://...", with "?grpc=50051" after it
// where gRPC is not on port 50051 (443 under https), and "&debug=6060,6061" for the nodes' profiling
// ports on the same host.
func ParseAddress(text string) (Address, error) {
	wrong := func(why string) (Address, error) {
		return Address{}, fmt.Errorf("%q is not the address of a Weaviate: %s; write it like localhost:8080, or http://localhost:8080?grpc=50051", text, why)
	}
	full := text
	if !strings.Contains(full, "://") {
		full = "http://" + full
	}
	u, err := url.Parse(full)
	if err != nil {
		return wrong(errors.Unwrap(err).Error())
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return wrong("it must begin with http or https")
	case u.Hostname() == "":
		return wrong("it has no host")
	case u.User != nil:
		return wrong("a password does not belong there; " + KeyVariable + " holds the key")
	case u.Path != "" && u.Path != "/":
		return wrong("it has a path")
	}
	a := Address{HTTP: u.Scheme + "://" + u.Host, secure: u.Scheme == "https"}
	port := map[bool]string{false: "50051", true: "443"}[a.secure]
	for name, values := range u.Query() {
		switch name {
		case "grpc":
			port = values[0]
		case "debug":
			for p := range strings.SplitSeq(values[0], ",") {
				a.Debug = append(a.Debug, net.JoinHostPort(u.Hostname(), p))
			}
		default:
			return wrong(fmt.Sprintf("it knows grpc and debug, not %q", name))
		}
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return wrong(fmt.Sprintf("%q is not a port", port))
	}
	a.GRPC = net.JoinHostPort(u.Hostname(), port)
	return a, nil
}

// Client is a connection to a cluster, through one of its nodes. Many goroutines may use it at once.
type Client struct {
	Address Address
	Version string // of the node that was reached
	key     string
	http    *http.Client
	rpc     *grpc.ClientConn
}

// Connect reaches the node at address, and refuses versions that it cannot work with.
func Connect(ctx context.Context, address string) (*Client, error) {
	a, err := ParseAddress(address)
	if err != nil {
		return nil, err
	}
	c := &Client{Address: a, key: os.Getenv(KeyVariable), http: &http.Client{}}
	var meta struct{ Version string }
	if err := c.rest(ctx, http.MethodGet, "/v1/meta", nil, &meta); err != nil {
		return nil, err
	}
	c.Version = meta.Version
	if err := supported(meta.Version); err != nil {
		return nil, fmt.Errorf("weaviate at %s: %w", a.HTTP, err)
	}
	creds := insecure.NewCredentials()
	if a.secure {
		creds = credentials.NewTLS(nil)
	}
	c.rpc, err = grpc.NewClient("passthrough:///"+a.GRPC, grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}), grpc.MaxCallRecvMsgSize(largest)))
	if err != nil {
		return nil, fmt.Errorf("weaviate at %s: %w", a.GRPC, err)
	}
	return c, nil
}

// Close ends the connection.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return c.rpc.Close()
}

func supported(version string) error {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(minor)
	switch {
	case version == "":
		return errors.New("what answers there is no Weaviate: it does not tell a version")
	case err != nil || major != "1" || n < oldest:
		return fmt.Errorf("its version is %s: annbench is tested with %s, and needs 1.%d or a later 1.x", version, Tested, oldest)
	}
	return nil
}

// rest makes one call; ask and answer are JSON, either may be nil. Its errors hold the server's words.
func (c *Client) rest(ctx context.Context, method, path string, ask, answer any) error {
	var body io.Reader
	if ask != nil {
		b, err := json.Marshal(ask)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.Address.HTTP+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("weaviate: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, largest))
	if err != nil {
		return fmt.Errorf("weaviate: %s %s: %w", method, path, err)
	}
	if resp.StatusCode/100 != 2 {
		return &statusError{resp.StatusCode, fmt.Sprintf("weaviate: %s %s: %s: %s", method, path, resp.Status, words(b))}
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(b, answer); err != nil {
		return fmt.Errorf("weaviate: %s %s answered what is not its JSON: %w", method, path, err)
	}
	return nil
}

// statusError is an HTTP status with the server's words.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string { return e.text }

// words are what the server says of an error.
func words(b []byte) string {
	var e struct {
		Error []struct{ Message string }
	}
	if json.Unmarshal(b, &e) == nil && len(e.Error) > 0 {
		var all []string
		for _, m := range e.Error {
			all = append(all, m.Message)
		}
		return strings.Join(all, "; ")
	}
	return strings.TrimSpace(string(b[:min(len(b), 500)]))
}

func (c *Client) outgoing(ctx context.Context) context.Context {
	if c.key == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+c.key)
}

// Node is one of a cluster's.
type Node struct {
	Name   string
	Status string
	Shards []Shard
}

// Shard is a part of a collection on a node.
type Shard struct {
	Class                string
	Name                 string
	ObjectCount          int64 // lags behind: use [Client.Count]
	VectorIndexingStatus string
	VectorQueueLength    int64
	Compressed           bool
}

// Nodes lists the cluster, with the shards of a collection where name is not empty.
func (c *Client) Nodes(ctx context.Context, name string) ([]Node, error) {
	path := "/v1/nodes"
	if name != "" {
		path += "/" + url.PathEscape(name) + "?output=verbose"
	}
	var answer struct{ Nodes []Node }
	err := c.rest(ctx, http.MethodGet, path, nil, &answer)
	return answer.Nodes, err
}

// Class is the name that Weaviate gives a collection: it begins with a capital.
func Class(name string) string {
	if name == "" {
		return ""
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// Config is a collection's schema, as JSON has it.
type Config map[string]any

// Collection makes the schema of a collection of bare vectors.
func Collection(name, indexType string, index map[string]any, shards, replicas int) Config {
	return Config{
		"class": Class(name), "vectorizer": "none", "vectorIndexType": indexType, "vectorIndexConfig": index,
		"properties":        []any{},
		"shardingConfig":    map[string]any{"desiredCount": shards},
		"replicationConfig": map[string]any{"factor": replicas},
	}
}

// Create makes a collection.
func (c *Client) Create(ctx context.Context, config Config) error {
	return c.rest(ctx, http.MethodPost, "/v1/schema", config, nil)
}

// Change changes the vector index's configuration of a collection.
func (c *Client) Change(ctx context.Context, name string, change func(index map[string]any)) error {
	path := "/v1/schema/" + url.PathEscape(Class(name))
	var config Config
	if err := c.rest(ctx, http.MethodGet, path, nil, &config); err != nil {
		return err
	}
	index, ok := config["vectorIndexConfig"].(map[string]any)
	if !ok {
		return fmt.Errorf("weaviate: the schema of %s has no vectorIndexConfig", Class(name))
	}
	change(index)
	return c.rest(ctx, http.MethodPut, path, config, nil)
}

// setsProperty is the property of objects that lists the sets they are in.
const setsProperty = "sets"

// HoldSets gives a collection the property that [Client.Mark] fills, if it has it not.
func (c *Client) HoldSets(ctx context.Context, name string) error {
	path := "/v1/schema/" + url.PathEscape(Class(name))
	var config struct{ Properties []struct{ Name string } }
	if err := c.rest(ctx, http.MethodGet, path, nil, &config); err != nil {
		return err
	}
	for _, p := range config.Properties {
		if p.Name == setsProperty {
			return nil
		}
	}
	return c.rest(ctx, http.MethodPost, path+"/properties", map[string]any{
		"name": setsProperty, "dataType": []string{"int[]"}, "indexFilterable": true, "indexRangeFilters": false,
	}, nil)
}

// Drop removes a collection. That there is none is no error.
func (c *Client) Drop(ctx context.Context, name string) error {
	// Weaviate answers 200 for a collection that is not there.
	err := c.rest(ctx, http.MethodDelete, "/v1/schema/"+url.PathEscape(Class(name)), nil, nil)
	var status *statusError
	if errors.As(err, &status) && status.code == http.StatusNotFound {
		return nil
	}
	return err
}

// Count counts the objects of a collection on all shards, by Aggregate.
func (c *Client) Count(ctx context.Context, name string) (int, error) {
	class := Class(name)
	var answer struct {
		Data struct {
			Aggregate map[string][]struct{ Meta struct{ Count int } }
		}
		Errors []struct{ Message string }
	}
	query := fmt.Sprintf("{Aggregate{%s{meta{count}}}}", class)
	if err := c.rest(ctx, http.MethodPost, "/v1/graphql", map[string]string{"query": query}, &answer); err != nil {
		return 0, err
	}
	if len(answer.Errors) > 0 {
		return 0, fmt.Errorf("weaviate: counting %s: %s", class, answer.Errors[0].Message)
	}
	rows := answer.Data.Aggregate[class]
	if len(rows) != 1 {
		return 0, fmt.Errorf("weaviate: counting %s: there is no count in the answer", class)
	}
	return rows[0].Meta.Count, nil
}

// Wait returns when no vector of the collection waits to be indexed any more and, where compressed is
// asked for, every shard that holds something has been compressed.
func (c *Client) Wait(ctx context.Context, name string, compressed bool) error {
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		nodes, err := c.Nodes(ctx, Class(name))
		if err != nil {
			return err
		}
		busy, shards := "", 0
		for _, n := range nodes {
			for _, s := range n.Shards {
				if s.Class != Class(name) {
					continue
				}
				shards++
				switch {
				case s.VectorQueueLength > 0 || s.VectorIndexingStatus == "INDEXING":
					busy = fmt.Sprintf("shard %s on %s is %s, %d vectors wait", s.Name, n.Name, s.VectorIndexingStatus, s.VectorQueueLength)
				case compressed && !s.Compressed:
					busy = fmt.Sprintf("shard %s on %s is not compressed yet", s.Name, n.Name)
				case s.VectorIndexingStatus == "READONLY" && !compressed:
					return fmt.Errorf("weaviate: shard %s of %s on %s is READONLY", s.Name, Class(name), n.Name)
				case s.VectorIndexingStatus == "READONLY":
					busy = fmt.Sprintf("shard %s on %s is being compressed", s.Name, n.Name)
				}
			}
		}
		if busy == "" && shards > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("weaviate: waiting for %s: %s: %w", Class(name), busy, ctx.Err())
		case <-time.After(pause):
		}
	}
}

// Collect has every node whose profiling port is known collect its garbage. Twice, because what a
// finalizer frees goes with the second.
func (c *Client) Collect(ctx context.Context) error {
	var failed error
	for range 2 {
		for _, host := range c.Address.Debug {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/debug/pprof/heap?gc=1", nil)
			if err != nil {
				return err
			}
			resp, err := c.http.Do(req)
			if err != nil {
				failed = err
				continue
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}
	return failed
}
