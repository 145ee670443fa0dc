package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Error codes of the JetStream API (nats-server, server/errors.json).
const (
	jsStreamNotFound = 10059
	jsNoMessage      = 10037
	jsTooLarge       = 10054
	jsStreamFull     = 10077
	jsNoStorage      = 10047
	jsNoMemory       = 10028
	jsAccountFull    = 10002
)

// The requests that are made here and not by nats.go, which chooses the replica: MSG.GET is answered
// by the stream's leader, DIRECT.GET by any replica, also one that lags.
const (
	apiStreamList = "$JS.API.STREAM.LIST"
	apiMsgGet     = "$JS.API.STREAM.MSG.GET."
	apiDirectGet  = "$JS.API.DIRECT.GET."
	apiMsgDelete  = "$JS.API.STREAM.MSG.DELETE."
	apiPurge      = "$JS.API.STREAM.PURGE."
)

// streamInfo asks the stream's leader; nil without an error is a stream that does not exist.
func (c *Chat) streamInfo(ctx context.Context, stream string) (*jetstream.StreamInfo, error) {
	s, err := c.js.Stream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil //nolint:nilnil // the callers all make something of a missing stream
	}
	if err != nil {
		return nil, err
	}
	return s.CachedInfo(), nil
}

// lastSeq is the newest sequence of a stream by its leader's word; ok is false where there is no stream.
func (c *Chat) lastSeq(ctx context.Context, stream string) (seq uint64, ok bool, err error) {
	info, err := c.streamInfo(ctx, stream)
	if err != nil || info == nil {
		return 0, false, err
	}
	return info.State.LastSeq, true, nil
}

// listStreams returns all streams of the account by name. Each page has a deadline of its own: a
// request that a reconnect loses must not hold up the checker for as long as a long list may take.
func (c *Chat) listStreams(ctx context.Context) (map[string]*jetstream.StreamInfo, error) {
	all := map[string]*jetstream.StreamInfo{}
	for offset := 0; ; {
		page, err := c.listPage(ctx, offset)
		if err != nil {
			return nil, fmt.Errorf("list streams from %d: %w", offset, err)
		}
		for _, info := range page.Streams {
			all[info.Config.Name] = info
		}
		if offset += len(page.Streams); len(page.Streams) == 0 || offset >= page.Total {
			return all, nil
		}
	}
}

type streamPage struct {
	Total   int                     `json:"total"`
	Streams []*jetstream.StreamInfo `json:"streams"`
}

func (c *Chat) listPage(ctx context.Context, offset int) (page streamPage, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timing.call)
	defer cancel()
	err = c.ask(ctx, apiStreamList, struct {
		Offset int `json:"offset"`
	}{offset}, &page)
	return page, err
}

// jsError is the error in an answer of the JetStream API.
type jsError struct {
	Code        int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *jsError) Error() string { return e.Description + " (" + strconv.Itoa(e.Code) + ")" }

func isJS(err error, code int) bool {
	var e *jsError
	return errors.As(err, &e) && e.Code == code
}

// ask makes one request of the JetStream API and decodes its answer.
func (c *Chat) ask(ctx context.Context, subject string, request, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	m, err := c.conn.RequestWithContext(ctx, subject, body)
	if err != nil {
		return err
	}
	var fault struct {
		Error *jsError `json:"error"`
	}
	if err = json.Unmarshal(m.Data, &fault); err != nil {
		return err
	}
	if fault.Error != nil {
		return fault.Error
	}
	return json.Unmarshal(m.Data, answer)
}

// rawMessage is a message as MSG.GET tells it: its headers are what was stored, nothing added.
type rawMessage struct {
	Subject string    `json:"subject"`
	Seq     uint64    `json:"seq"`
	Header  []byte    `json:"hdrs"`
	Data    []byte    `json:"data"`
	Time    time.Time `json:"time"`
}

type msgGet struct {
	Seq   uint64     `json:"seq,omitempty"`
	Since *time.Time `json:"start_time,omitempty"`
	Next  string     `json:"next_by_subj,omitempty"`
}

type msgGot struct {
	Message rawMessage `json:"message"`
}

// leaderNext returns the first message at or behind a sequence by the leader's word. Where
// there is none, everything up to last is absent for good.
func (c *Chat) leaderNext(ctx context.Context, stream string, from uint64) (m rawMessage, found bool, last uint64, err error) {
	// The last sequence is asked between two looks: what is stored after
	// the first look would otherwise count as absent.
	for range 2 {
		var got msgGot
		err = c.ask(ctx, apiMsgGet+stream, msgGet{Seq: from, Next: ">"}, &got)
		if err == nil {
			return got.Message, true, 0, nil
		}
		if !isJS(err, jsNoMessage) {
			return rawMessage{}, false, 0, err
		}
		if last > 0 {
			break
		}
		var ok bool
		if last, ok, err = c.lastSeq(ctx, stream); err != nil {
			return rawMessage{}, false, 0, err
		}
		if !ok {
			return rawMessage{}, false, 0, &jsError{Code: jsStreamNotFound, Description: "stream not found"}
		}
	}
	return rawMessage{}, false, last, nil
}

// leaderGet returns the message of one sequence.
func (c *Chat) leaderGet(ctx context.Context, stream string, seq uint64) (rawMessage, error) {
	var got msgGot
	err := c.ask(ctx, apiMsgGet+stream, msgGet{Seq: seq}, &got)
	return got.Message, err
}

// deleteMessage takes one message out of a stream, and with erase overwrites it on the disk. One
// that is gone already is no error.
func (c *Chat) deleteMessage(ctx context.Context, stream string, seq uint64, erase bool) error {
	request := struct {
		Seq     uint64 `json:"seq"`
		NoErase bool   `json:"no_erase"`
	}{seq, !erase}
	err := c.ask(ctx, apiMsgDelete+stream, request, &struct{}{})
	var refused *jsError
	if !errors.As(err, &refused) || refused.Code == jsStreamNotFound {
		return ignoreJS(err, jsStreamNotFound)
	}
	// The error of a message that is gone differs between storages: look.
	_, gone := c.leaderGet(ctx, stream, seq)
	if isJS(gone, jsNoMessage) {
		return nil
	}
	return err
}

func ignoreJS(err error, code int) error {
	if isJS(err, code) {
		return nil
	}
	return err
}

// directBatch reads messages in order from some replica. It ends early without an error
// where the replica ends.
func (c *Chat) directBatch(ctx context.Context, stream string, from uint64, count, bytes int) ([]*nats.Msg, error) {
	request, err := json.Marshal(struct {
		Seq   uint64 `json:"seq"`
		Batch int    `json:"batch"`
		Bytes int    `json:"max_bytes"`
	}{from, count, bytes})
	if err != nil {
		return nil, err
	}
	inbox := c.conn.NewInbox()
	// A channel, and not NextMsg, which takes a stored message that
	// carries a client's own "Status: 503" for "no responders".
	answers := make(chan *nats.Msg, count+1)
	sub, err := c.conn.ChanSubscribe(inbox, answers)
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err = c.conn.PublishRequest(apiDirectGet+stream, inbox, request); err != nil {
		return nil, err
	}
	var all []*nats.Msg
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case m := <-answers:
			if len(m.Header[jetstream.StreamHeader]) == 0 && m.Header.Get("Status") != "" {
				return all, endOfBatch(m.Header.Get("Status"))
			}
			all = append(all, m)
			if len(all) > count {
				return nil, errors.New("a direct get answered with more than was asked")
			}
		}
	}
}

func endOfBatch(status string) error {
	switch status {
	case "204", "404": // end of batch; nothing at or behind the sequence
		return nil
	case "503":
		return nats.ErrNoResponders
	}
	return fmt.Errorf("a direct get answered with status %s", status)
}
