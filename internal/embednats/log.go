package embednats

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// logger passes on what the server says. A fatal message ends the process in the
// server's own loggers; here it is kept for Start to return.
type logger struct {
	log *slog.Logger

	mu    sync.Mutex
	fault error
}

func (l *logger) Noticef(format string, v ...any) { l.log.Debug("nats-server notice", text(format, v)) }

func (l *logger) Warnf(format string, v ...any) { l.log.Warn("nats-server warning", text(format, v)) }

func (l *logger) Errorf(format string, v ...any) { l.log.Warn("nats-server error", text(format, v)) }
func (l *logger) Debugf(string, ...any)          {}
func (l *logger) Tracef(string, ...any)          {}

func (l *logger) Fatalf(format string, v ...any) {
	l.log.Error("nats-server fatal", text(format, v))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = errors.Join(l.fault, fmt.Errorf(format, v...))
}

func (l *logger) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault
}

func text(format string, v []any) slog.Attr { return slog.String("text", fmt.Sprintf(format, v...)) }
