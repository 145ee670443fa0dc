package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"strings"
	"syscall"
)

// A reply answers one line of a child's input.
type reply struct {
	Error string          `json:"error,omitempty"`
	Value json.RawMessage `json:"value,omitempty"`
}

// runChild runs the server of a role until the input ends. Each line of the input is an order,
// and is answered by a reply: `profile FILE` writes a CPU profile until `profile` ends it, `memory`
// tells the bytes in use, and a role may take orders of its own.
func runChild(role string) error {
	// The parent ends us when it is interrupted; it may still want to know what we cost.
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	start, ok := map[string]func(dir string) (ready, func() error, error){
		rolePlain: startPlain, roleOperator: startOperator, roleCallout: startCallout, roleParley: startParley, roleCluster: startCluster,
	}[role]
	if !ok {
		return fmt.Errorf("no role %q", role)
	}
	r, stop, err := start(os.Getenv(folderVariable))
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		value, err := obey(r, lines.Text())
		answer := reply{}
		if answer.Value, err = encodeValue(value, err); err != nil {
			answer.Error = err.Error()
		}
		if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
			return errors.Join(err, stop())
		}
	}
	pprof.StopCPUProfile()
	return stop()
}

func obey(r ready, line string) (any, error) {
	order, args, _ := strings.Cut(line, " ")
	switch order {
	case "profile":
		return nil, profileTo(args)
	case "memory":
		return inUse(), nil
	}
	if r.order == nil {
		return nil, fmt.Errorf("no order %q", order)
	}
	return r.order(order, args)
}

func encodeValue(v any, err error) (json.RawMessage, error) {
	if err != nil || v == nil {
		return nil, err
	}
	return json.Marshal(v)
}

// inUse is the memory that this process uses for its heap and stacks, in bytes, without garbage.
func inUse() uint64 {
	var m runtime.MemStats
	for range 2 { // what the first finds dead the second frees
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

func profileTo(file string) error {
	if file == "" {
		pprof.StopCPUProfile()
		return nil
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return pprof.StartCPUProfile(f) // the file is closed when we end
}
