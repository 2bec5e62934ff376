// Package engines starts and stops servers that index families are in, on this machine, and finds those that
// run. What runs is written down in a folder, before its first process starts and after every start, so that a
// start that was killed can be cleaned up. Talking to a server is the business of the families themselves
// (packages weaviate and pgvector).
package engines

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

	"annbench/internal/atomicfile"
	"annbench/internal/plaintext"
	"annbench/internal/usage"
)

// An engine is a server that families are in.
type engine struct {
	name string
	// elsewhere says how to come to one that annbench does not start itself; then start is nil.
	elsewhere string
	ports     int // that a node needs
	// binary finds the program.
	binary func() (string, error)
	// command is that of node i; all nodes have their ports by then.
	command func(binary string, nodes []Node, i int) *exec.Cmd
	// first is the port, by its place, that node 0 listens on before the others may start.
	first int
	// ready reports why the cluster is not ready yet, or nil once it is.
	ready func(ctx context.Context, nodes []Node) error
	// address is what families are given.
	address func(nodes []Node) string
	// warning is a limitation of a running one.
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
		elsewhere: "annbench starts no PostgreSQL: give the address of one that has pgvector; docs/howto/database-servers.md says how",
	},
}

// Node is a process of an engine.
type Node struct {
	PID     int    `json:"pid"`     // 0 before it is started
	Started uint64 `json:"started"` // when, as /proc/PID/stat has it: another process may have the id later
	Ports   []int  `json:"ports"`
	Data    string `json:"data"`
	Log     string `json:"log"`
}

// State is what [Dir.Start] writes down of an engine, before its first process starts and after
// every start, so that [Dir.Stop] finds what is left of one that was killed.
type State struct {
	Engine  string `json:"engine"`
	Address string `json:"address"`
	Ready   bool   `json:"ready"`
	Nodes   []Node `json:"nodes"`
	Dir     string `json:"dir"` // of data and logs; removed by Stop
}

// What is the engine and its size, for people.
func (s *State) What() string { return fmt.Sprintf("%s of %d nodes", s.Engine, len(s.Nodes)) }

// Alive reports whether the process of n still runs.
func (n *Node) Alive() bool {
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

const stateFile = "state.json"

// readState reads the state in a folder; nil where there is none.
func readState(dir string) (*State, error) {
	var s State
	b, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = plaintext.JSONError(b, json.Unmarshal(b, &s))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w; if no such engine runs, delete the file", filepath.Join(dir, stateFile), err)
	}
	return &s, nil
}

// Dir is the folder in which the engines of this machine are written down, each in a folder of its own.
type Dir string

func (d Dir) of(name string, nodes int) string {
	return filepath.Join(string(d), fmt.Sprintf("%s-%d", name, nodes))
}

// States reads all, in order of name.
func (d Dir) States() ([]*State, error) {
	files, err := filepath.Glob(filepath.Join(string(d), "*", stateFile))
	if err != nil {
		return nil, err
	}
	var all []*State
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

// Status is "ready", "starting", or what is wrong.
func (s *State) Status() string {
	var lost []string
	for i := range s.Nodes {
		if !s.Nodes[i].Alive() {
			lost = append(lost, strconv.Itoa(i))
		}
	}
	switch {
	case len(lost) > 0:
		return "lost node " + strings.Join(lost, ", ")
	case !s.Ready:
		return "starting"
	}
	return "ready"
}

// Server is where an engine answers, and what of it is on this machine: ids of processes, folders of data.
type Server struct {
	Address   string
	Processes []int
	Data      []string
}

// Find finds the engine of that name, of so many nodes, at address, or one that runs where address is empty.
// Its error says why there is none, and what to do.
func (d Dir) Find(name, address string, nodes int) (Server, error) {
	all, err := d.States()
	if err != nil {
		return Server{}, err
	}
	for _, s := range all {
		if s.Engine != name || address != "" && s.Address != address || address == "" && len(s.Nodes) != nodes {
			continue
		}
		found := Server{Address: s.Address}
		for i := range s.Nodes {
			if !s.Nodes[i].Alive() {
				if address != "" {
					return Server{Address: address}, nil
				}
				return found, fmt.Errorf("the %s that annbench started has lost node %d (%s says why): `annbench engines down %s`, then up again", s.What(), i, s.Nodes[i].Log, name)
			}
			found.Processes = append(found.Processes, s.Nodes[i].PID)
			found.Data = append(found.Data, s.Nodes[i].Data)
		}
		if !s.Ready {
			return found, fmt.Errorf("the %s is not ready yet: wait for `annbench engines up`", s.What())
		}
		return found, nil
	}
	if address != "" {
		return Server{Address: address}, nil
	}
	for _, e := range engines {
		if e.name == name && e.command == nil {
			return Server{}, fmt.Errorf("no address of a %s: %s", name, e.elsewhere)
		}
	}
	up := "annbench engines up " + name
	if nodes > 1 {
		up += fmt.Sprintf(" --nodes %d", nodes)
	}
	return Server{}, fmt.Errorf("no %s of %d nodes is running: `%s` starts one, or give its address in the sweep", name, nodes, up)
}

// Check refuses a name that is not that of an engine which can be started here.
func Check(name string) error {
	_, err := lookup(name)
	return err
}

func lookup(name string) (*engine, error) {
	var names []string
	for _, e := range engines {
		if e.name == name {
			if e.command == nil {
				return nil, usage.Error{Err: errors.New(e.elsewhere)}
			}
			return e, nil
		}
		names = append(names, e.name)
	}
	return nil, usage.Error{Err: fmt.Errorf("no engine %q; known are %s", name, strings.Join(names, ", "))}
}

// MostNodes is how many nodes a machine is asked to bear.
const MostNodes = 9

// Config says what is started.
type Config struct {
	// Engine is its name.
	Engine string
	// Nodes of the cluster, all on this machine: at least 1, at most [MostNodes].
	Nodes int
	// Data is the folder for the nodes' data and logs, a new or an empty one. Empty: one beside the state.
	Data string
	// Timeout is how long it may take to answer. It must be given.
	Timeout time.Duration
}

// Start starts an engine and waits until it answers. warning is a limitation that its user should know. If it fails,
// nothing of it is left.
func (d Dir) Start(ctx context.Context, c Config) (started *State, warning string, err error) {
	e, err := lookup(c.Engine)
	if err != nil {
		return nil, "", err
	}
	if c.Nodes < 1 || c.Nodes > MostNodes {
		return nil, "", usage.Error{Err: fmt.Errorf("--nodes must be between 1 and %d, not %d", MostNodes, c.Nodes)}
	}
	binary, err := e.binary()
	if err != nil {
		return nil, "", err
	}
	dir := d.of(e.name, c.Nodes)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, "", err
	}
	unlock, err := lock(dir)
	if err != nil {
		return nil, "", err
	}
	defer unlock()
	before, err := readState(dir)
	if err != nil {
		return nil, "", err
	}
	if before != nil {
		return nil, "", fmt.Errorf("a %s is there already, at %s: `annbench engines status` says how it is, `annbench engines down %s --nodes %d` ends it", before.What(), before.Address, e.name, c.Nodes)
	}
	data := c.Data
	if data == "" {
		data = filepath.Join(dir, "nodes")
		if err := os.RemoveAll(data); err != nil { // of an up that was killed before it wrote anything down
			return nil, "", err
		}
	}
	if data, err = filepath.Abs(data); err != nil {
		return nil, "", err
	}
	if there, err := os.ReadDir(data); err == nil && len(there) > 0 {
		return nil, "", usage.Error{Err: fmt.Errorf("--data: %s is not empty, and `annbench engines down` would remove what is in it: name a new folder", data)}
	}
	state, err := e.plan(data, c.Nodes)
	if err != nil {
		return nil, "", err
	}
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
		return nil, "", fmt.Errorf("starting %s: %w%s", state.What(), said, tail)
	}
	return state, e.warning, nil
}

// Stop ends the engines of that name, all where it is empty, and of so many nodes, any where it is 0, and
// removes their data. stopped hears of each that has ended.
func (d Dir) Stop(name string, nodes int, stopped func(*State)) error {
	if name != "" {
		if err := Check(name); err != nil {
			return err
		}
	}
	all, err := d.States()
	if err != nil {
		return err
	}
	for _, state := range all {
		if name != "" && state.Engine != name || nodes > 0 && len(state.Nodes) != nodes {
			continue
		}
		dir := d.of(state.Engine, len(state.Nodes))
		unlock, err := lock(dir)
		if err != nil {
			return err
		}
		err = end(state, dir)
		unlock()
		if err != nil {
			return err
		}
		stopped(state)
	}
	return nil
}

// plan lays out the nodes below dir, each with ports that are free.
func (e *engine) plan(dir string, nodes int) (*State, error) {
	state := &State{Engine: e.name, Dir: dir}
	// All are held until all are found, so that none is given twice.
	for i := range nodes {
		n := Node{Data: filepath.Join(dir, fmt.Sprintf("node%d", i)), Log: filepath.Join(dir, fmt.Sprintf("node%d.log", i))}
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
func (e *engine) start(ctx context.Context, state *State, binary, dir string) error {
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

func writeState(s *State, dir string) error {
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
func lastLines(s *State) string {
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

// lock keeps a second up or down of the same engine out.
func lock(dir string) (unlock func(), err error) {
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
func end(s *State, dir string) error {
	for _, how := range []struct {
		signal syscall.Signal
		time   time.Duration
	}{{syscall.SIGTERM, endTime}, {syscall.SIGKILL, killTime}} {
		for i := range s.Nodes {
			if s.Nodes[i].Alive() {
				_ = syscall.Kill(s.Nodes[i].PID, how.signal)
			}
		}
		for deadline := time.Now().Add(how.time); time.Now().Before(deadline) && len(running(s)) > 0; {
			time.Sleep(50 * time.Millisecond)
		}
	}
	if left := running(s); len(left) > 0 {
		return fmt.Errorf("these processes of %s did not end: %v; end them, then run `annbench engines down %s --nodes %d` again", s.What(), left, s.Engine, len(s.Nodes))
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
func running(s *State) (pids []int) {
	for i := range s.Nodes {
		if s.Nodes[i].Alive() {
			pids = append(pids, s.Nodes[i].PID)
		}
	}
	return pids
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

func weaviateCommand(binary string, nodes []Node, i int) *exec.Cmd {
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
func weaviateReady(ctx context.Context, nodes []Node) error {
	get := func(n *Node, path string, answer any) error {
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

func weaviateAddress(nodes []Node) string {
	var debug []string
	for _, n := range nodes {
		debug = append(debug, strconv.Itoa(n.Ports[weaviateDebug]))
	}
	return fmt.Sprintf("127.0.0.1:%d?grpc=%d&debug=%s", nodes[0].Ports[weaviateHTTP], nodes[0].Ports[weaviateGRPC], strings.Join(debug, ","))
}
