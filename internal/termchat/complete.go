package termchat

import (
	"context"
	"strings"
)

// commands are completed by Tab.
var commands = []string{"/delete", "/dm ", "/edit ", "/help", "/history", "/join ", "/leave", "/quit", "/react ", "/reply ", "/rooms", "/room ", "/search ", "/who"}

// completer asks the session's goroutine to complete a line.
func (s *session) completer(ctx context.Context) func(string) (string, bool) {
	return func(line string) (string, bool) {
		answer := make(chan string, 1)
		select {
		case s.asks <- func() { answer <- s.complete(line) }:
		case <-ctx.Done():
			return "", false
		}
		full := <-answer
		return full, full != line
	}
}

// complete adds what all candidates have in common.
func (s *session) complete(line string) string {
	command, _, hasArg := strings.Cut(line, " ")
	var candidates []string
	switch {
	case strings.HasPrefix(line, "/") && !hasArg:
		candidates = append(append(candidates, commands...), moderations...)
	case command == "/dm":
		for p := range s.people {
			candidates = append(candidates, "/dm "+p)
		}
	case command == "/room" || command == "/join":
		for r := range s.others {
			candidates = append(candidates, command+" "+r)
		}
	default:
		start := strings.LastIndexByte(line, ' ') + 1
		after := " "
		if start == 0 {
			after = ": "
		}
		for p := range s.people {
			candidates = append(candidates, line[:start]+p+after)
		}
	}
	if strings.HasSuffix(line, " ") && len(candidates) != 1 || line == "" {
		return line
	}
	return common(line, candidates)
}

func common(line string, candidates []string) string {
	found := ""
	for _, c := range candidates {
		switch {
		case !strings.HasPrefix(c, line):
		case found == "":
			found = c
		default:
			n := 0
			for n < len(c) && n < len(found) && c[n] == found[n] {
				n++
			}
			found = found[:n]
		}
	}
	if found == "" {
		return line
	}
	return found
}
