package embedder

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"annbench/embedder/models"
)

// Profile is what one run of a model did, as ONNX Runtime reports it: which provider ran each node, for how
// long, and on tensors of which shapes.
type Profile struct {
	Nodes []ProfiledNode
}

// ProfiledNode is one node of the graph that was run. Optimisers fuse nodes, so that there are fewer
// than in the file.
type ProfiledNode struct {
	Name     string
	Operator string
	Provider string    // of ONNX Runtime: "CPUExecutionProvider", ...
	Seconds  float64   // on the clock of the thread that ran it; a GPU may still have been working
	Inputs   [][]int64 // shapes
	Outputs  [][]int64
}

// Placed counts the nodes by the provider that ran them.
func (p *Profile) Placed() map[string]int {
	placed := map[string]int{}
	for _, n := range p.Nodes {
		placed[n.Provider]++
	}
	return placed
}

// MultiplyAdds counts what convolutions and products of matrices do to one batch: the work that peak
// figures of devices are about. Of a convolution that is, for each output component, the components of
// its kernel; of a product of matrices, the length of the sums. An activation, a mean or a pooling
// counts nothing. Operators that it cannot count are named.
func (p *Profile) MultiplyAdds() (count int64, uncounted []string) {
	product := func(dims []int64) int64 {
		n := int64(1)
		for _, d := range dims {
			n *= d
		}
		return n
	}
	for _, n := range p.Nodes {
		enough := len(n.Inputs) >= 2 && len(n.Outputs) >= 1
		switch n.Operator {
		case "Conv", "FusedConv", "ConvInteger", "QLinearConv":
			w := 1
			if n.Operator == "QLinearConv" {
				w = 3
			}
			if enough && len(n.Inputs) > w && len(n.Inputs[w]) > 2 {
				count += product(n.Outputs[0]) * product(n.Inputs[w][1:])
				continue
			}
		case "ConvTranspose":
			if enough && len(n.Inputs[1]) > 2 {
				count += product(n.Inputs[0]) * product(n.Inputs[1][1:])
				continue
			}
		case "MatMul", "MatMulInteger", "FusedMatMul":
			if enough && len(n.Inputs[0]) > 0 {
				count += product(n.Outputs[0]) * n.Inputs[0][len(n.Inputs[0])-1]
				continue
			}
		case "Gemm", "FusedGemm":
			// A is M × K or its transpose, and the output M × N.
			if enough && len(n.Outputs[0]) == 2 && n.Outputs[0][0] > 0 {
				count += product(n.Outputs[0]) * (product(n.Inputs[0]) / n.Outputs[0][0])
				continue
			}
		case "Einsum", "LSTM", "GRU", "RNN", "Attention", "MultiHeadAttention", "QLinearMatMul", "MatMulNBits":
		default:
			continue
		}
		if !slices.Contains(uncounted, n.Operator) {
			uncounted = append(uncounted, n.Operator)
		}
	}
	return count, uncounted
}

// Operation is an operator with the time of its nodes.
type Operation struct {
	Operator string  `json:"operator"`
	Nodes    int     `json:"nodes"`
	Seconds  float64 `json:"seconds"`
}

// ByOperator adds up nodes of the same operator; those that took longest come first.
func (p *Profile) ByOperator() []Operation {
	var all []Operation
	for _, n := range p.Nodes {
		i := slices.IndexFunc(all, func(o Operation) bool { return o.Operator == n.Operator })
		if i < 0 {
			i = len(all)
			all = append(all, Operation{Operator: n.Operator})
		}
		all[i].Nodes++
		all[i].Seconds += n.Seconds
	}
	slices.SortStableFunc(all, func(a, b Operation) int {
		switch {
		case a.Seconds > b.Seconds:
			return -1
		case a.Seconds < b.Seconds:
			return 1
		}
		return strings.Compare(a.Operator, b.Operator)
	})
	return all
}

// CountMultiplyAdds runs one picture through the model of card on the CPU, node by node as the file has
// them, and counts by the shapes that ONNX Runtime saw: the multiply-adds of one picture.
func CountMultiplyAdds(card *models.Card, library string) (count int64, uncounted []string, err error) {
	if _, err := openRuntime(library); err != nil {
		return 0, nil, fmt.Errorf("counting the operations of model %s: %w", card.Name, err)
	}
	s := &Session{card: card, shape: newPreparer(&card.Input)}
	g, err := readGraph(card)
	if err == nil {
		s.fixed, err = checkGraph(card, g)
	}
	var p *Profile
	if err == nil {
		s.setup = engineSetup{device: CPU, precision: FP32, threads: 1, plain: true}
		p, err = s.profile(max(1, s.fixed))
	}
	if err != nil {
		return 0, nil, fmt.Errorf("counting the operations of model %s: %w", card.Name, err)
	}
	count, uncounted = p.MultiplyAdds()
	return count / int64(max(1, s.fixed)), uncounted, nil
}

// Profile runs black pictures through a session of the same settings as s that is opened for it: once to
// warm up, and once to be reported. It takes a batch of rows, or of the size that the graph fixes.
func (s *Session) Profile(rows int) (*Profile, error) {
	p, err := s.profile(s.batchOf(rows))
	if err != nil {
		return nil, fmt.Errorf("profiling model %s on %s: %w", s.card.Name, s.setup.device, err)
	}
	return p, nil
}

func (s *Session) profile(rows int) (p *Profile, err error) {
	dir, err := os.MkdirTemp("", "annbench-profile-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	setup := s.setup
	setup.profile = filepath.Join(dir, "run")
	e, err := openEngine(s.card, setup)
	if err != nil {
		return nil, err
	}
	in, out := newTensor(&s.card.Input, rows), newOutput(s, rows)
	for range profiledRuns {
		if err = e.run(in, rows, out); err != nil {
			break
		}
	}
	// The runtime writes its file when the session ends.
	if err = errors.Join(err, e.close()); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(setup.profile + "*")
	if err != nil || len(files) != 1 {
		return nil, errors.Join(err, fmt.Errorf("ONNX Runtime wrote %d profiles, not one", len(files)))
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		return nil, err
	}
	return readProfile(text)
}

// profiledRuns: the first warms up, the last is reported.
const profiledRuns = 2

// readProfile reads the events of ONNX Runtime (Chrome's trace format) and keeps the nodes of the last
// run.
func readProfile(text []byte) (*Profile, error) {
	var events []struct {
		Category string  `json:"cat"`
		Name     string  `json:"name"`
		Micros   float64 `json:"dur"`
		Args     struct {
			Operator string               `json:"op_name"`
			Provider string               `json:"provider"`
			Inputs   []map[string][]int64 `json:"input_type_shape"`
			Outputs  []map[string][]int64 `json:"output_type_shape"`
		} `json:"args"`
	}
	if err := json.Unmarshal(text, &events); err != nil {
		return nil, fmt.Errorf("reading the profile of ONNX Runtime: %w", err)
	}
	shapes := func(typed []map[string][]int64) [][]int64 {
		var out [][]int64
		for _, t := range typed {
			for _, dims := range t { // of one type each
				out = append(out, dims)
			}
		}
		return out
	}
	var run, last []ProfiledNode
	for _, e := range events {
		name, ran := strings.CutSuffix(e.Name, "_kernel_time")
		switch {
		case e.Category == "Session" && e.Name == "model_run": // comes after the nodes of its run
			run, last = nil, run
		case e.Category == "Node" && ran && e.Args.Provider != "":
			run = append(run, ProfiledNode{
				Name: name, Operator: e.Args.Operator, Provider: e.Args.Provider, Seconds: e.Micros / 1e6,
				Inputs: shapes(e.Args.Inputs), Outputs: shapes(e.Args.Outputs),
			})
		}
	}
	if len(last) == 0 {
		return nil, errors.New("the profile of ONNX Runtime lists no nodes")
	}
	return &Profile{Nodes: last}, nil
}
