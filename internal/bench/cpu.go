package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// spent is CPU time, in user and kernel mode, by who used it.
type spent struct {
	client   time.Duration // this process
	server   time.Duration // the server's process: of Parley, NATS and all roles
	database time.Duration // Postgres: all that descends from the server's process
}

func (s spent) minus(o spent) spent {
	return spent{s.client - o.client, s.server - o.server, s.database - o.database}
}

func (s spent) total() time.Duration { return s.client + s.server + s.database }

// own is the CPU time of this process.
func own() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// spent is what the child used until now, without the client's part.
func (p *process) spent() (s spent, err error) {
	pid := p.cmd.Process.Pid
	if s.server, err = clockOf(pid); err != nil {
		return s, err
	}
	children, err := childrenOf(pid)
	if err != nil {
		return s, err
	}
	for _, c := range children {
		used, err := treeOf(c)
		if err != nil {
			return s, err
		}
		s.database += used
	}
	return s, nil
}

// clockOf reads the CPU clock of a process in nanoseconds: /proc counts in hundredths of seconds.
func clockOf(pid int) (time.Duration, error) {
	// include/uapi/linux/time.h, clock_getcpuclockid(3): the id is made of the process's, and 2 is CPUCLOCK_SCHED.
	id := int32(^pid)<<3 | 2 //nolint:gosec // G115: process ids have 22 bits
	var t unix.Timespec
	if err := unix.ClockGettime(id, &t); err != nil {
		return 0, fmt.Errorf("read the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// treeOf is the CPU time of a process and of all that descends from it, also of what has
// ended. One that ends just now may count twice or not at all: Postgres's workers are few.
func treeOf(pid int) (time.Duration, error) {
	used, err := clockOf(pid)
	if err != nil {
		return 0, nil //nolint:nilerr // it has ended, and its parent counts it
	}
	ended, err := endedOf(pid)
	if err != nil {
		return 0, err
	}
	children, err := childrenOf(pid)
	if err != nil {
		return 0, err
	}
	used += ended
	for _, c := range children {
		more, err := treeOf(c)
		if err != nil {
			return 0, err
		}
		used += more
	}
	return used, nil
}

// endedOf is what a process's children used that it has waited for.
func endedOf(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if os.IsNotExist(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	// proc_pid_stat(5): behind the name, which may hold anything, cutime and cstime are the 14th and 15th.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 15 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 everywhere
	var ticks int64
	for _, f := range fields[13:15] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}

// childrenOf lists the living children of all threads.
func childrenOf(pid int) (all []int, err error) {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, t := range threads {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, t.Name()))
		if err != nil {
			continue // the thread has ended
		}
		for _, f := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(f)
			if err != nil {
				return nil, fmt.Errorf("children of process %d: %w", pid, err)
			}
			all = append(all, child)
		}
	}
	return all, nil
}
