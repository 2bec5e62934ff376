package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"annbench/bench"
	"annbench/bench/pipeline"
	"annbench/bench/record"
	"annbench/internal/atomicfile"
)

type enginesCmd struct {
	Up     enginesUpCmd     `cmd:"" help:"Start an engine on this machine, and wait until it answers."`
	Down   enginesDownCmd   `cmd:"" help:"End it, and remove its data."`
	Status enginesStatusCmd `cmd:"" help:"Which engines run, where they answer, what they hold."`
}

// An engine is a server that families are in.
type engine struct {
	name string
	// elsewhere says how to come to one that annbench does not start itself; then start is nil.
	elsewhere string
	ports     int // that a node needs
	// binary finds the program.
	binary func() (string, error)
	// command is that of node i; all nodes have their ports by then.
	command func(binary string, nodes []engineNode, i int) *exec.Cmd
	// first is the port, by its place, that node 0 listens on before the others may start.
	first int
	// ready reports why the cluster is not ready yet, or nil once it is.
	ready func(ctx context.Context, nodes []engineNode) error
	// address is what families are given.
	address func(nodes []engineNode) string
	// warning is what a user has to know of a running one.
	warning string
}

// engines are those that families may be in.
var engines = []*engine{
	{
		name: "weaviate", ports: 7, binary: weaviateBinary, command: weaviateCommand,
		first: weaviateGossip, ready: weaviateReady, address: weaviateAddress,
		warning: "anybody who reaches this machine reaches it: Weaviate listens for gRPC, for its cluster's data and for profiling on all interfaces, without a password. Have a firewall, or a network namespace of its own (`unshare -n`)",
	},
	{
		name:      "pgvector",
		elsewhere: "annbench starts no PostgreSQL: give the address of one that has pgvector; docs/engines.md says how",
	},
}

// engineNode is a process of an engine.
type engineNode struct {
	PID     int    `json:"pid"`     // 0 before it is started
	Started uint64 `json:"started"` // when, as /proc/PID/stat has it: another process may have the id later
	Ports   []int  `json:"ports"`
	Data    string `json:"data"`
	Log     string `json:"log"`
}

// engineState is what `engines up` writes down of an engine, before its first process starts and after
// every start, so that `engines down` finds what an `up` left that was killed.
type engineState struct {
	Engine  string       `json:"engine"`
	Address string       `json:"address"`
	Ready   bool         `json:"ready"`
	Nodes   []engineNode `json:"nodes"`
	Dir     string       `json:"dir"` // of data and logs; removed by down
}

func (s *engineState) what() string { return fmt.Sprintf("%s of %d nodes", s.Engine, len(s.Nodes)) }

// alive reports whether the process of n still runs.
func (n *engineNode) alive() bool {
	if n.PID == 0 {
		return false
	}
	stat, err := processStat(n.PID)
	return err == nil && stat.Starttime == n.Started && stat.State != "Z" && stat.State != "X"
}

func processStat(pid int) (procfs.ProcStat, error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return procfs.ProcStat{}, err
	}
	return p.Stat()
}

// enginesDir is where engines are written down.
func enginesDir() (string, error) {
	cache, err := pipeline.CacheDir()
	return filepath.Join(cache, "engines"), err
}

func stateDir(name string, nodes int) (string, error) {
	dir, err := enginesDir()
	return filepath.Join(dir, fmt.Sprintf("%s-%d", name, nodes)), err
}

const stateFile = "state.json"

// readState reads the state in a folder; nil where there is none.
func readState(dir string) (*engineState, error) {
	var s engineState
	err := record.ReadJSON(filepath.Join(dir, stateFile), &s)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w; if no such engine runs, delete the file", filepath.Join(dir, stateFile), err)
	}
	return &s, nil
}

// states reads all, in order of name.
func states() ([]*engineState, error) {
	dir, err := enginesDir()
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", stateFile))
	if err != nil {
		return nil, err
	}
	var all []*engineState
	for _, f := range files {
		s, err := readState(filepath.Dir(f))
		if err != nil {
			return nil, err
		}
		if s != nil {
			all = append(all, s)
		}
	}
	return all, nil
}

// findServer is the [bench.FindServer] of the command.
func findServer(name, address string, nodes int) (bench.Server, error) {
	all, err := states()
	if err != nil {
		return bench.Server{}, err
	}
	for _, s := range all {
		if s.Engine != name || address != "" && s.Address != address || address == "" && len(s.Nodes) != nodes {
			continue
		}
		found := bench.Server{Address: s.Address}
		for i := range s.Nodes {
			if !s.Nodes[i].alive() {
				if address != "" {
					return bench.Server{Address: address}, nil
				}
				return found, fmt.Errorf("the %s that annbench started has lost node %d (%s says why): `annbench engines down %s`, then up again", s.what(), i, s.Nodes[i].Log, name)
			}
			found.Processes = append(found.Processes, s.Nodes[i].PID)
			found.Data = append(found.Data, s.Nodes[i].Data)
		}
		if !s.Ready {
			return found, fmt.Errorf("the %s is not ready yet: wait for `annbench engines up`", s.what())
		}
		return found, nil
	}
	if address != "" {
		return bench.Server{Address: address}, nil
	}
	for _, e := range engines {
		if e.name == name && e.command == nil {
			return bench.Server{}, fmt.Errorf("no address of a %s: %s", name, e.elsewhere)
		}
	}
	up := "annbench engines up " + name
	if nodes > 1 {
		up += fmt.Sprintf(" --nodes %d", nodes)
	}
	return bench.Server{}, fmt.Errorf("no %s of %d nodes is running: `%s` starts one, or give its address in the sweep", name, nodes, up)
}

func lookupEngine(name string) (*engine, error) {
	var names []string
	for _, e := range engines {
		if e.name == name {
			if e.command == nil {
				return nil, misuse(errors.New(e.elsewhere))
			}
			return e, nil
		}
		names = append(names, e.name)
	}
	return nil, misuse(fmt.Errorf("no engine %q; known are %s", name, strings.Join(names, ", ")))
}

type enginesUpCmd struct {
	Engine  string        `arg:"" help:"Which: weaviate." s3:"no: this is the name of an engine, such as weaviate"`
	Nodes   int           `help:"Nodes of the cluster, all on this machine." default:"1"`
	Data    string        `help:"Folder for the nodes' data and logs: a new or an empty one. Default: in the cache." placeholder:"DIR" s3:"no: an engine keeps its data on a disk of this machine"`
	Timeout time.Duration `help:"How long it may take to answer." default:"2m"`
}

// Help is printed below the flags.
func (enginesUpCmd) Help() string {
	return `The nodes listen on 127.0.0.1, on ports that were free, begin empty, and go on after this command;
sweeps find them by themselves. Their program is built by make engines, or named in
ANNBENCH_WEAVIATE.

Examples:
  annbench engines up weaviate
  annbench engines up weaviate --nodes 3`
}

// most nodes that a machine is asked to bear.
const mostNodes = 9

func (c *enginesUpCmd) Run(ctx context.Context, s *surface) error {
	e, err := lookupEngine(c.Engine)
	if err != nil {
		return err
	}
	if c.Nodes < 1 || c.Nodes > mostNodes {
		return misuse(fmt.Errorf("--nodes must be between 1 and %d, not %d", mostNodes, c.Nodes))
	}
	binary, err := e.binary()
	if err != nil {
		return err
	}
	dir, err := stateDir(e.name, c.Nodes)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	unlock, err := lockEngine(dir)
	if err != nil {
		return err
	}
	defer unlock()
	before, err := readState(dir)
	if err != nil {
		return err
	}
	if before != nil {
		return fmt.Errorf("a %s is there already, at %s: `annbench engines status` tells how it is, `annbench engines down %s --nodes %d` ends it", before.what(), before.Address, e.name, c.Nodes)
	}
	data := c.Data
	if data == "" {
		data = filepath.Join(dir, "nodes")
		if err := os.RemoveAll(data); err != nil { // of an up that was killed before it wrote anything down
			return err
		}
	}
	if data, err = filepath.Abs(data); err != nil {
		return err
	}
	if there, err := os.ReadDir(data); err == nil && len(there) > 0 {
		return misuse(fmt.Errorf("--data: %s is not empty, and `annbench engines down` would remove what is in it: name a new folder", data))
	}
	state, err := e.plan(data, c.Nodes)
	if err != nil {
		return err
	}
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("not ready after %v", c.Timeout))
	defer cancel()
	if err := e.start(ctx, state, binary, dir); err != nil {
		said := err
		if ctx.Err() != nil {
			said = fmt.Errorf("%w (%w)", context.Cause(ctx), err)
		}
		tail := lastLines(state)
		if e := end(state, dir); e != nil {
			said = errors.Join(said, e)
		}
		return fmt.Errorf("starting %s: %w%s", state.what(), said, tail)
	}
	s.say("%s: ready after %v at %s", state.what(), time.Since(began).Round(100*time.Millisecond), state.Address)
	if e.warning != "" {
		s.say("note: %s", e.warning)
	}
	fmt.Fprintln(s.out, state.Address)
	return nil
}

// plan lays out the nodes below dir, each with ports that are free.
func (e *engine) plan(dir string, nodes int) (*engineState, error) {
	state := &engineState{Engine: e.name, Dir: dir}
	// All are held until all are found, so that none is given twice.
	for i := range nodes {
		n := engineNode{Data: filepath.Join(dir, fmt.Sprintf("node%d", i)), Log: filepath.Join(dir, fmt.Sprintf("node%d.log", i))}
		free, err := holdPorts(e.ports)
		if err != nil {
			return nil, err
		}
		for _, l := range free {
			defer l.Close()
			n.Ports = append(n.Ports, l.Addr().(*net.TCPAddr).Port)
		}
		state.Nodes = append(state.Nodes, n)
	}
	state.Address = e.address(state.Nodes)
	return state, nil
}

// holdPorts finds n ports in a row that are free on every interface, for not all are bound to loopback.
// Subtle: Weaviate takes the port after that of its gossip for its data, and the one after that of Raft
// for calls, whatever it is told; a cluster of other ports waits for itself for ever.
func holdPorts(n int) (held []net.Listener, err error) {
	for range 100 {
		port := 0
		for len(held) < n {
			var l net.Listener
			if l, err = net.Listen("tcp", fmt.Sprintf(":%d", port)); err != nil {
				break
			}
			held = append(held, l)
			port = l.Addr().(*net.TCPAddr).Port + 1
		}
		if len(held) == n {
			return held, nil
		}
		for _, l := range held {
			l.Close()
		}
		held = nil
	}
	return nil, fmt.Errorf("finding %d free ports in a row: %w", n, err)
}

// start starts the nodes one after the other and waits until the cluster is ready. What it has started
// when it fails is in state.
func (e *engine) start(ctx context.Context, state *engineState, binary, dir string) error {
	if err := writeState(state, dir); err != nil {
		return err
	}
	ended := make(chan int, len(state.Nodes))
	for i := range state.Nodes {
		n := &state.Nodes[i]
		if err := os.MkdirAll(n.Data, 0o755); err != nil {
			return err
		}
		log, err := os.OpenFile(n.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			return err
		}
		cmd := e.command(binary, state.Nodes, i)
		cmd.Dir, cmd.Stdout, cmd.Stderr = state.Dir, log, log
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C is for this command, which ends them itself
		err = cmd.Start()
		log.Close()
		if err != nil {
			return err
		}
		n.PID = cmd.Process.Pid
		go func() {
			_ = cmd.Wait()
			ended <- i
		}()
		if stat, err := processStat(n.PID); err == nil {
			n.Started = stat.Starttime
		}
		if err := writeState(state, dir); err != nil {
			return err
		}
		if i == 0 && len(state.Nodes) > 1 {
			if err := await(ctx, ended, func() error { return connects(ctx, n.Ports[e.first]) }); err != nil {
				return err
			}
		}
	}
	if err := await(ctx, ended, func() error { return e.ready(ctx, state.Nodes) }); err != nil {
		return err
	}
	state.Ready = true
	return writeState(state, dir)
}

func writeState(s *engineState, dir string) error {
	return atomicfile.WriteJSON(filepath.Join(dir, stateFile), s)
}

// await asks again and again until ready gives nil, a node has ended, or ctx is over.
func await(ctx context.Context, ended <-chan int, ready func() error) error {
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case i := <-ended:
			return fmt.Errorf("node %d has ended", i)
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func connects(ctx context.Context, port int) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return conn.Close()
}

// lastLines are the ends of the nodes' logs, for an error.
func lastLines(s *engineState) string {
	var b strings.Builder
	for _, n := range s.Nodes {
		text, err := os.ReadFile(n.Log)
		if err != nil || len(text) == 0 {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		fmt.Fprintf(&b, "\n%s ended with:", filepath.Base(n.Log))
		for _, line := range lines[max(0, len(lines)-3):] {
			fmt.Fprintf(&b, "\n  %.300s", line)
		}
	}
	return b.String()
}

// lockEngine keeps a second up or down of the same engine out.
func lockEngine(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another `annbench engines` is at work on it (%s)", dir)
	}
	return func() { f.Close() }, nil
}

// How long nodes have to end by themselves, and then when they are killed.
const (
	endTime  = 20 * time.Second
	killTime = 10 * time.Second
)

// end ends every process of s, checks that none is left, and removes its data and the state file.
func end(s *engineState, dir string) error {
	for _, how := range []struct {
		signal syscall.Signal
		time   time.Duration
	}{{syscall.SIGTERM, endTime}, {syscall.SIGKILL, killTime}} {
		for i := range s.Nodes {
			if s.Nodes[i].alive() {
				_ = syscall.Kill(s.Nodes[i].PID, how.signal)
			}
		}
		for deadline := time.Now().Add(how.time); time.Now().Before(deadline) && len(running(s)) > 0; {
			time.Sleep(50 * time.Millisecond)
		}
	}
	if left := running(s); len(left) > 0 {
		return fmt.Errorf("these processes of %s did not end: %v; end them, then run `annbench engines down %s --nodes %d` again", s.what(), left, s.Engine, len(s.Nodes))
	}
	for _, n := range s.Nodes {
		// Only what up has made: a folder that the user named may hold more by now.
		if err := errors.Join(os.RemoveAll(n.Data), remove(n.Log)); err != nil {
			return err
		}
	}
	_ = os.Remove(s.Dir) // where it is empty
	return remove(filepath.Join(dir, stateFile))
}

func remove(file string) error {
	if err := os.Remove(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// running lists the processes of s that run.
func running(s *engineState) (pids []int) {
	for i := range s.Nodes {
		if s.Nodes[i].alive() {
			pids = append(pids, s.Nodes[i].PID)
		}
	}
	return pids
}

type enginesDownCmd struct {
	Engine string `arg:"" optional:"" help:"Which. Default: all." s3:"no: this is the name of an engine, such as weaviate"`
	Nodes  int    `help:"That of so many nodes alone. Default: all." placeholder:"N"`
}

func (c *enginesDownCmd) Run(s *surface) error {
	if c.Engine != "" {
		if _, err := lookupEngine(c.Engine); err != nil {
			return err
		}
	}
	all, err := states()
	if err != nil {
		return err
	}
	ended := 0
	for _, state := range all {
		if c.Engine != "" && state.Engine != c.Engine || c.Nodes > 0 && len(state.Nodes) != c.Nodes {
			continue
		}
		dir, err := stateDir(state.Engine, len(state.Nodes))
		if err != nil {
			return err
		}
		unlock, err := lockEngine(dir)
		if err != nil {
			return err
		}
		err = end(state, dir)
		unlock()
		if err != nil {
			return err
		}
		s.say("%s: ended, its data is removed", state.what())
		ended++
	}
	if ended == 0 {
		s.say("nothing to end")
	}
	return nil
}

type enginesStatusCmd struct {
	JSON bool `help:"JSON instead of text."`
}

// engineStatus is an engine as a program reads it.
type engineStatus struct {
	Engine    string       `json:"engine"`
	Nodes     int          `json:"nodes"`
	Address   string       `json:"address"`
	Status    string       `json:"status"` // "ready", "starting", or what is wrong
	Processes []engineNode `json:"processes"`
}

func (c *enginesStatusCmd) Run(s *surface) error {
	all, err := states()
	if err != nil {
		return err
	}
	list := []engineStatus{}
	for _, state := range all {
		st := engineStatus{Engine: state.Engine, Nodes: len(state.Nodes), Address: state.Address, Status: "ready", Processes: state.Nodes}
		var lost []string
		for i := range state.Nodes {
			if !state.Nodes[i].alive() {
				lost = append(lost, strconv.Itoa(i))
			}
		}
		switch {
		case len(lost) > 0:
			st.Status = "lost node " + strings.Join(lost, ", ")
		case !state.Ready:
			st.Status = "starting"
		}
		list = append(list, st)
	}
	if c.JSON {
		enc := json.NewEncoder(s.out)
		enc.SetIndent("", "  ")
		return enc.Encode(list)
	}
	if len(list) == 0 {
		fmt.Fprintln(s.out, "none")
	}
	for _, st := range list {
		fmt.Fprintf(s.out, "%s, %d nodes: %s, at %s\n", st.Engine, st.Nodes, st.Status, st.Address)
		for i, n := range st.Processes {
			fmt.Fprintf(s.out, "  node %d: process %d, log %s\n", i, n.PID, n.Log)
		}
	}
	return nil
}

// The ports of a node of Weaviate, by their places.
const (
	weaviateHTTP = iota
	weaviateGRPC
	weaviateGossip
	weaviateData
	weaviateRaft
	weaviateRPC
	weaviateDebug
)

// weaviateBinary finds the server: named in ANNBENCH_WEAVIATE, built by make engines below the folder
// where this is run, or in PATH.
func weaviateBinary() (string, error) {
	if named := os.Getenv("ANNBENCH_WEAVIATE"); named != "" {
		if _, err := exec.LookPath(named); err != nil {
			return "", fmt.Errorf("ANNBENCH_WEAVIATE: %w", err)
		}
		return filepath.Abs(named)
	}
	built := filepath.Join(".deps", "weaviate", "bin", "weaviate-server")
	if _, err := os.Stat(built); err == nil {
		return filepath.Abs(built)
	}
	if path, err := exec.LookPath("weaviate-server"); err == nil {
		return path, nil
	}
	return "", errors.New("there is no weaviate-server: `make engines` builds it (some ten minutes, once), or name one in ANNBENCH_WEAVIATE")
}

func weaviateCommand(binary string, nodes []engineNode, i int) *exec.Cmd {
	ports := nodes[i].Ports
	port := func(place int) string { return strconv.Itoa(ports[place]) }
	cmd := exec.Command(binary, "--scheme", "http", "--host", "127.0.0.1", "--port", port(weaviateHTTP))
	var voters []string
	for j, n := range nodes {
		voters = append(voters, fmt.Sprintf("node%d:%d", j, n.Ports[weaviateRaft]))
	}
	// Nothing of the user's environment changes what the server does.
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + nodes[i].Data,
		"PERSISTENCE_DATA_PATH=" + nodes[i].Data,
		"AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED=true",
		"DISABLE_TELEMETRY=true", "ENABLE_MODULES=", "API_BASED_MODULES_DISABLED=true", "DEFAULT_VECTORIZER_MODULE=none",
		"LOG_LEVEL=warning",
		"GRPC_PORT=" + port(weaviateGRPC),
		"GO_PROFILING_PORT=" + port(weaviateDebug), // by which garbage is collected before memory is read
		fmt.Sprintf("CLUSTER_HOSTNAME=node%d", i), "CLUSTER_IN_LOCALHOST=true",
		"CLUSTER_BIND_ADDR=127.0.0.1", "CLUSTER_ADVERTISE_ADDR=127.0.0.1",
		"CLUSTER_GOSSIP_BIND_PORT=" + port(weaviateGossip), "CLUSTER_DATA_BIND_PORT=" + port(weaviateData),
		"RAFT_PORT=" + port(weaviateRaft), "RAFT_INTERNAL_RPC_PORT=" + port(weaviateRPC),
		"RAFT_JOIN=" + strings.Join(voters, ","), fmt.Sprintf("RAFT_BOOTSTRAP_EXPECT=%d", len(nodes)),
	}
	if i > 0 {
		cmd.Env = append(cmd.Env, fmt.Sprintf("CLUSTER_JOIN=127.0.0.1:%d", nodes[0].Ports[weaviateGossip]))
	}
	return cmd
}

// weaviateReady asks every node whether it is ready, and the first whether it sees them all.
func weaviateReady(ctx context.Context, nodes []engineNode) error {
	get := func(n *engineNode, path string, answer any) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", n.Ports[weaviateHTTP], path), nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s of port %d: %s", path, n.Ports[weaviateHTTP], resp.Status)
		}
		if answer == nil {
			return nil
		}
		return json.NewDecoder(resp.Body).Decode(answer)
	}
	for i := range nodes {
		if err := get(&nodes[i], "/v1/.well-known/ready", nil); err != nil {
			return err
		}
		var cluster struct{ Nodes []struct{ Status string } }
		if err := get(&nodes[i], "/v1/nodes", &cluster); err != nil {
			return err
		}
		healthy := len(slices.DeleteFunc(cluster.Nodes, func(n struct{ Status string }) bool { return n.Status != "HEALTHY" }))
		if healthy != len(nodes) {
			return fmt.Errorf("node %d sees %d of %d nodes", i, healthy, len(nodes))
		}
		if err := connects(ctx, nodes[i].Ports[weaviateGRPC]); err != nil {
			return err
		}
	}
	return nil
}

func weaviateAddress(nodes []engineNode) string {
	var debug []string
	for _, n := range nodes {
		debug = append(debug, strconv.Itoa(n.Ports[weaviateDebug]))
	}
	return fmt.Sprintf("127.0.0.1:%d?grpc=%d&debug=%s", nodes[0].Ports[weaviateHTTP], nodes[0].Ports[weaviateGRPC], strings.Join(debug, ","))
}
