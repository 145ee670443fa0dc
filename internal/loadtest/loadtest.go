// Package loadtest posts into a room of a running Parley and listens to it, over package client
// as any program does, and tells how fast and how faithfully that went. It never runs without a
// bound in count and time, and gives nobody's messages but its own a meaning.
package loadtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"parley/client"
)

// What a run is at most, whoever asks.
const (
	MostMessages   = 1_000_000
	MostTime       = time.Hour
	MostSenders    = 1000
	MostListeners  = 1000
	MostDeliveries = 10_000_000 // messages times listeners
	LeastSize      = 64
	MostSize       = 60 << 10
)

const (
	postTimeout = 10 * time.Second // of one post with its repetitions
	grace       = 10 * time.Second // for the last deliveries
	readTimeout = 2 * time.Minute  // of all that was posted
	noticeTime  = time.Second      // for a notice beside a refusal
	between     = time.Second      // progress
)

// Config of a run. Connect, Room and at least one of Messages and For are required.
type Config struct {
	Connect   func(context.Context) (*client.Client, error) // a new connection of the user who posts and listens
	Room      string
	Messages  int           // that are posted at most; 0: MostMessages
	For       time.Duration // that is posted at most; 0: MostTime
	Senders   int           // connections that post, each one message after the other; 0: 1
	Listeners int           // connections that listen; 0: none
	Size      int           // bytes of a text; 0: 128
	Rate      int           // posts a second of all senders together at most; 0: as fast as they are acknowledged
	Progress  func(Progress)
}

// A Progress is how far a run is.
type Progress struct {
	Elapsed   time.Duration
	Posted    int // and acknowledged
	PerSecond float64
	Awaited   int // deliveries that have not come
}

// check reports all faults at once, and fills in the defaults.
func (c *Config) check() error {
	var faults []error
	bound := func(name string, v *int, least, most, instead int) {
		if *v == 0 {
			*v = instead
		}
		if *v < least || *v > most {
			faults = append(faults, fmt.Errorf("%s: must be %d to %d", name, least, most))
		}
	}
	if c.Messages == 0 && c.For == 0 {
		faults = append(faults, errors.New("without a bound it does not run: give messages, time, or both"))
	}
	if c.For == 0 {
		c.For = MostTime
	}
	if c.For < 0 || c.For > MostTime {
		faults = append(faults, fmt.Errorf("time: must be at most %s", MostTime))
	}
	bound("messages", &c.Messages, 1, MostMessages, MostMessages)
	bound("senders", &c.Senders, 1, MostSenders, 1)
	bound("listeners", &c.Listeners, 0, MostListeners, 0)
	bound("size", &c.Size, LeastSize, MostSize, 128)
	bound("rate", &c.Rate, 0, MostMessages, 0)
	c.Messages = min(c.Messages, MostDeliveries/max(c.Listeners, 1))
	return errors.Join(faults...)
}

// Run posts until a bound is reached, waits for the last deliveries, and reads back what was posted. An end of ctx
// is a bound like the others. What was lost or doubled is in the report, and no error.
func Run(ctx context.Context, c Config) (Report, error) {
	if err := c.check(); err != nil {
		return Report{}, err
	}
	r := &run{Config: c, book: newLedger(c.Listeners)}
	defer r.close()
	if err := r.open(ctx); err != nil {
		return Report{}, err
	}
	stop := r.watch()
	wall, err := r.post(ctx)
	if err == nil {
		r.book.settle(grace)
	}
	stop()
	r.endListening()
	if err != nil {
		return Report{}, err
	}
	// What was posted is read also after ^C.
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	if err := r.readBack(back); err != nil {
		return Report{}, fmt.Errorf("read what was posted: %w", err)
	}
	return r.book.report(wall), nil
}
