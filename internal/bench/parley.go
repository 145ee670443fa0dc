package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"parley/internal/app"
)

// startParley runs the real program, all roles with a private Postgres.
func startParley(dir string) (ready, func() error, error) {
	ctx, cancel := context.WithCancel(context.Background())
	answers, ended := make(signalWriter, 1), make(chan error, 1)
	const free = "127.0.0.1:0"
	go func() {
		ended <- app.Run(ctx, app.Config{
			SignUp: "closed",
			Data:   dir, HTTP: free, NATS: free, WS: free, Metrics: free, Out: answers,
			Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		})
	}()
	stop := func() error {
		cancel()
		return <-ended
	}
	select {
	case <-answers:
	case err := <-ended:
		cancel()
		return ready{}, nil, errors.Join(errors.New("parley ended before it was ready"), err)
	}
	info, err := app.ReadRunInfo(dir)
	if err != nil {
		return ready{}, nil, errors.Join(err, stop())
	}
	token, err := os.ReadFile(filepath.Join(dir, app.OperatorTokenFile))
	if err != nil {
		return ready{}, nil, errors.Join(err, stop())
	}
	return ready{NATS: info.NATS, WS: info.WS, HTTP: info.HTTP, Token: strings.TrimSpace(string(token))}, stop, nil
}

// signalWriter tells that something was written: Parley writes one line, when all of it answers.
type signalWriter chan struct{}

func (w signalWriter) Write(b []byte) (int, error) {
	select {
	case w <- struct{}{}:
	default:
	}
	return len(b), nil
}
