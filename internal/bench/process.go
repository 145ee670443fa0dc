package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// A child process runs one server in a program of its own, so that its CPU time can be told
// from the clients'. It is this program again, told its role in the environment.
const (
	roleVariable   = "PARLEY_BENCH_ROLE"
	folderVariable = "PARLEY_BENCH_FOLDER"

	rolePlain    = "plain"
	roleOperator = "operator"
	roleCallout  = "callout"
	roleParley   = "parley"
	roleCluster  = "cluster"

	startTimeout = 2 * time.Minute // Parley makes a database
	stopTimeout  = 20 * time.Second
)

// ready is the first line of a child's output.
type ready struct {
	NATS  string   `json:"nats"`
	WS    string   `json:"ws"`
	HTTP  string   `json:"http"`
	Token string   `json:"token"` // the operator's, for the HTTP API
	Creds []string `json:"creds"` // of the users, by their index
	Nodes []string `json:"nodes"` // of a cluster

	order func(order, args string) (any, error) // in the child: what its role takes
}

// process is a child as this side sees it. It ends when its input does.
type process struct {
	role string
	ready
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers chan []byte // lines of output; closed at its end
}

func startChild(ctx context.Context, role, dir string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// Not bound to ctx: a killed Parley would leave its Postgres to clean up by itself.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self)
	cmd.Env = append(os.Environ(), roleVariable+"="+role, folderVariable+"="+filepath.Join(dir, role))
	cmd.Stderr = os.Stderr
	p := &process{role: role, cmd: cmd, answers: make(chan []byte, 1)}
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	go p.read(out)
	line, err := p.answer(ctx, startTimeout)
	if err == nil {
		err = json.Unmarshal(line, &p.ready)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", role, err), p.stop())
	}
	return p, nil
}

// read ends with the child.
func (p *process) read(out io.Reader) {
	defer close(p.answers)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20) // all creds stand in one line
	for lines.Scan() {
		p.answers <- append([]byte(nil), lines.Bytes()...)
	}
}

func (p *process) answer(ctx context.Context, patience time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case line, ok := <-p.answers:
		if !ok {
			return nil, errors.New("it ended")
		}
		return line, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// profile has the child write a CPU profile to a file until it is told "".
func (p *process) profile(file string) error {
	if file != "" {
		var err error
		if file, err = filepath.Abs(file); err != nil {
			return err
		}
	}
	return p.order(context.Background(), "profile "+file, nil)
}

// memory is what the child uses, in bytes.
func (p *process) memory(ctx context.Context) (bytes uint64, err error) {
	return bytes, p.order(ctx, "memory", &bytes)
}

// order has the child do something, and decodes what it answers, unless into is nil.
func (p *process) order(ctx context.Context, line string, into any) error {
	if _, err := fmt.Fprintln(p.in, line); err != nil {
		return err
	}
	text, err := p.answer(ctx, startTimeout)
	if err != nil {
		return fmt.Errorf("%s of %s: %w", line, p.role, err)
	}
	var r reply
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("%s of %s: %w", line, p.role, err)
	}
	if r.Error != "" {
		return fmt.Errorf("%s of %s: %s", line, p.role, r.Error)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(r.Value, into)
}

// stop ends the child, and returns when it is gone.
func (p *process) stop() error {
	err := p.in.Close()
	kill := time.AfterFunc(stopTimeout, func() { _ = p.cmd.Process.Kill() }) // gone already: nothing to do
	defer kill.Stop()
	for range p.answers { // Wait may be called when all was read
		continue
	}
	if err = errors.Join(err, p.cmd.Wait()); err != nil {
		return fmt.Errorf("stop %s: %w", p.role, err)
	}
	return nil
}
