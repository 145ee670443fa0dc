package chat

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"parley/tenant"
	"parley/tenant/subject"
)

// A stored message as it stands in its stream, however it came here.
type stored struct {
	seq     uint64
	subject string // t.<ACCOUNT>.…, untrusted beyond the account and class of its stream
	id      string // its Nats-Msg-Id, or ""
	at      time.Time
	data    []byte
	forged  bool // it carries a header of the server that its sender wrote, or headers that can't be read
}

// size is what a stored message costs in a queue, about, in bytes.
func (m *stored) size() int { return len(m.data) + len(m.subject) + len(m.id) + 128 }

// The headers that the server adds to what it republishes and to direct gets. A client's own
// stand in front of the server's, so that Header.Get would return the forged one (NATS.md).
var serverHeaders = []string{"Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp"}

// counts of the server's headers in any case: a reader that ignores case would see them all.
func countServerHeaders(h nats.Header) (counts [4]int) {
	for key, values := range h {
		for i, name := range serverHeaders {
			if strings.EqualFold(key, name) {
				counts[i] += len(values)
			}
		}
	}
	return counts
}

// fromServer reads a message to which the server added its headers. It is not ok unless each of
// them is there exactly once and says what belongs together.
func fromServer(h nats.Header, data []byte) (stream string, m stored, ok bool) {
	if countServerHeaders(h) != [4]int{1, 1, 1, 1} {
		return "", stored{}, false
	}
	stream = h.Get(serverHeaders[0])
	m.subject = h.Get(serverHeaders[1])
	seq, errSeq := strconv.ParseUint(h.Get(serverHeaders[2]), 10, 63)
	at, errAt := time.Parse(time.RFC3339Nano, h.Get(serverHeaders[3]))
	if errSeq != nil || errAt != nil || seq == 0 {
		return "", stored{}, false
	}
	m.seq, m.at, m.data, m.id = seq, postgresTime(at), data, h.Get(nats.MsgIdHdr)
	return stream, m, true
}

// fromLive reads a live message; its stream and subject must be those of its delivery subject.
func fromLive(msg *nats.Msg) (stream string, m stored, ok bool) {
	stream, m, ok = fromServer(msg.Header, msg.Data)
	if account, p, shared := subject.ParsePlatformShared(msg.Subject); shared {
		return stream, m, ok && m.subject == p.Stored(account) && subject.IsSharedStream(stream)
	}
	delivered, okLive := strings.CutPrefix(msg.Subject, "live.")
	posted, okStored := strings.CutPrefix(m.subject, "t.")
	if !ok || !okLive || !okStored || delivered != posted || stream != streamOf(msg.Subject) {
		return "", stored{}, false
	}
	return stream, m, true
}

// streamOf names the stream of a live subject; "" is none.
func streamOf(live string) string {
	tokens := strings.SplitN(live, ".", 4)
	if len(tokens) != 4 || !subject.ValidAccount(tokens[1]) {
		return ""
	}
	class, err := tenant.ParseClass(tokens[2])
	if err != nil || tokens[2] == "" {
		return ""
	}
	return subject.Stream(tokens[1], class)
}

// fromLeader reads what the leader told.
func fromLeader(raw rawMessage) stored {
	m := stored{seq: raw.Seq, subject: raw.Subject, at: postgresTime(raw.Time), data: raw.Data}
	if len(raw.Header) == 0 {
		return m
	}
	h, err := nats.DecodeHeadersMsg(raw.Header)
	m.forged = err != nil || countServerHeaders(h) != [4]int{}
	m.id = h.Get(nats.MsgIdHdr)
	return m
}

// postgresTime is what a timestamptz keeps, so that a message is the same whichever way it came.
func postgresTime(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// Ids as they are kept. Shorter ones can't hold the 128 random bits that DESIGN.md
// section 3 asks for: they are counters of plain clients, which start again.
const (
	shortestID = 16
	longestID  = 128 // an index row of Postgres has a bound
)

// messageID is what makes a message of a sender in a room unique for ever.
func (m *stored) messageID(stream string) string {
	switch {
	case len(m.id) < shortestID:
		return stream + "/" + strconv.FormatUint(m.seq, 10)
	case len(m.id) > longestID || !printable(m.id):
		sum := sha256.Sum256([]byte(m.id))
		return "sha256:" + hex.EncodeToString(sum[:])
	}
	return m.id
}

// printable reports whether s is ASCII without spaces and controls: what any column takes.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}
