package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"
)

// runChild runs the server of a role until the input ends. The lines of the input say where
// to write a CPU profile, an empty one that it is complete; each is answered by a line that
// is empty or says what went wrong.
func runChild(role string) error {
	// The parent ends us when it is interrupted; it may still want to know what we cost.
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	start, ok := map[string]func(dir string) (ready, func() error, error){
		rolePlain: startPlain, roleOperator: startOperator, roleCallout: startCallout, roleParley: startParley,
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
		answer := ""
		if err := profileTo(lines.Text()); err != nil {
			answer = err.Error()
		}
		fmt.Fprintln(os.Stdout, answer)
	}
	pprof.StopCPUProfile()
	return stop()
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
