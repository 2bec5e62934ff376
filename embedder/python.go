package embedder

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"annbench/embedder/models"
)

// interpreter is a Python with onnxruntime that runs the same model; see beside.py.
type interpreter struct {
	name   string
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	folder string
}

//go:embed beside.py
var pythonScript string

// BesidePython opens the interpreter called command with the onnxruntime that it has, for
// [BenchmarkOptions.Beside]. If it has none, the error says so.
func BesidePython(ctx context.Context, command string, card *models.Card, batch int) (Contender, error) {
	p, err := startPython(ctx, command, card, batch)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func startPython(ctx context.Context, command string, card *models.Card, batch int) (p *interpreter, err error) {
	path, err := exec.LookPath(command)
	if err != nil {
		return nil, fmt.Errorf("there is no %s", command)
	}
	folder, err := os.MkdirTemp("", "annbench-python-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(folder))
		}
	}()
	p = &interpreter{folder: folder}
	model := card.Path
	if model == "" {
		data, err := card.ONNX()
		if err != nil {
			return nil, err
		}
		model = filepath.Join(folder, "model.onnx")
		if err := os.WriteFile(model, data, 0o600); err != nil {
			return nil, err
		}
	}
	in := card.Input
	shape := fmt.Sprintf("%d,%d,%d,3", batch, in.Height, in.Width)
	if in.Layout == "NCHW" {
		shape = fmt.Sprintf("%d,3,%d,%d", batch, in.Height, in.Width)
	}
	p.cmd = exec.CommandContext(ctx, path, "-c", pythonScript, model, in.Name, in.Type, shape, card.Embedding.Output)
	p.cmd.Stderr = io.Discard
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	line, err := p.out.ReadString('\n')
	name, ready := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if err != nil || !ready {
		p.in.Close()
		_ = p.cmd.Wait() // what it said is the reason
		if line = strings.TrimSpace(line); line == "" {
			line = "it ended without a word"
		}
		return nil, fmt.Errorf("%s: %s", command, line)
	}
	p.name = name
	return p, nil
}

func (p *interpreter) Name() string { return p.name }

func (p *interpreter) Run(batches int) (seconds float64, err error) {
	if _, err := fmt.Fprintln(p.in, batches); err != nil {
		return 0, err
	}
	line, err := p.out.ReadString('\n')
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(strings.TrimSpace(line), 64)
}

func (p *interpreter) Close() error {
	p.in.Close()
	return errors.Join(p.cmd.Wait(), os.RemoveAll(p.folder))
}
