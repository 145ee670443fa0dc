package chat

import (
	"strings"
	"time"

	"parley/tenant"
	"parley/tenant/subject"
)

// The codes of a `refused` notice.
const (
	refusedSubject = "room_unknown"   // the subject names no room
	refusedRoom    = "room_unknown"   // there is no such room, or it was deleted
	refusedPlace   = "wrong_place"    // the room is of another kind or class
	refusedClosed  = "room_closed"    // frozen or archived when the message was stored
	refusedSender  = "sender_unknown" // no such user
	refusedHeaders = "forged_headers" // headers that only the server writes
	refusedBody    = "invalid_body"
	refusedSize    = "too_large"
	// A muted user's posts have the tenant.MuteReason as their code.
)

// A roomFact is what the rules need of a room, and its numbering.
type roomFact struct {
	pk        int64 // 0: to be made with this batch
	id        tenant.RoomID
	kind      tenant.Kind
	class     tenant.Class
	state     tenant.RoomState
	changedAt time.Time
	lastN     int64
	touched   bool // by this batch
	lastSeq   uint64
	lastAt    time.Time
}

type pair struct {
	room tenant.RoomID
	user tenant.UserID
}

type onceKey struct {
	room   tenant.RoomID
	sender string
	id     string
}

// facts are what the rows say about the rooms and users of a batch.
type facts struct {
	limits   tenant.Limits // effective
	firstSeq uint64        // older ones are not kept
	rooms    map[tenant.RoomID]*roomFact
	active   map[tenant.UserID]bool // of the users that exist
	members  map[pair]tenant.MemberState
	mutes    map[pair]mute    // without a room: in all
	seen     map[onceKey]bool // messages that are there already
}

// A mute keeps a user's posts from counting that were stored from since to until.
type mute struct {
	why   tenant.MuteReason
	since time.Time
	until *time.Time // nil: it does not end
}

func (m mute) covers(at time.Time) bool {
	return m.why != "" && !at.Before(m.since) && (m.until == nil || at.Before(*m.until))
}

// A row is a message that counts, numbered.
type row struct {
	room   *roomFact
	n      int64 // 0: an event, whose JSON is the message's
	sender tenant.UserID
	id     string
	msg    *stored
	body   body
}

type refusal struct {
	seq    uint64
	sender string // "": the subject names none
	room   string
	code   string
}

// A ruling is what becomes of a batch.
type ruling struct {
	rows    []row
	refused []refusal
	created []*roomFact // direct rooms
	joins   []pair
	doubles int
}

// candidate is a message with its subject parsed.
type candidate struct {
	msg  *stored
	post subject.Post
	ok   bool
	id   string
}

// system reports whether the platform itself speaks.
func (c candidate) system() bool { return c.post.Sender == tenant.System }

func candidates(stream string, msgs []stored) []candidate {
	all := make([]candidate, len(msgs))
	for i := range msgs {
		m := &msgs[i]
		account, p, ok := subject.ParseStored(m.subject)
		ok = ok && subject.Stream(account, p.Class) == stream
		all[i] = candidate{msg: m, post: p, ok: ok, id: m.messageID(stream)}
	}
	return all
}

// judge applies the rules to a batch in its order. It changes the facts as the batch goes
// on, and looks nothing up. With doom it refuses the body of every message.
func judge(f *facts, batch []candidate, doom bool) ruling {
	var d ruling
	for _, c := range batch {
		if c.msg.seq < f.firstSeq {
			continue // retention took it meanwhile
		}
		b, code := check(f, c, doom)
		if code == "" {
			d.admit(f, c, b)
			continue
		}
		sender, room := place(c)
		if code == string(tenant.OverRate) {
			sender = "" // he was told when he was muted, once and not for each post
		}
		d.refused = append(d.refused, refusal{seq: c.msg.seq, sender: sender, room: room, code: code})
	}
	return d
}

// check returns the code of the first rule that a message breaks, or "".
func check(f *facts, c candidate, doom bool) (body, string) {
	if !c.ok {
		return body{}, refusedSubject
	}
	if c.msg.forged {
		return body{}, refusedHeaders
	}
	if c.system() {
		return body{}, checkEvent(f, c, doom)
	}
	if code := checkRoom(f, c); code != "" {
		return body{}, code
	}
	if code := checkMutes(f, c); code != "" {
		return body{}, code
	}
	if int64(len(c.msg.data)) > f.limits.MessageBytes {
		return body{}, refusedSize
	}
	b, err := parseBody(c.msg.data)
	if err != nil || doom {
		return body{}, refusedBody
	}
	return b, ""
}

func checkRoom(f *facts, c candidate) string {
	sender := tenant.UserID(c.post.Sender)
	if _, known := f.active[sender]; !known {
		return refusedSender
	}
	low, high, direct := c.post.Room.Pair()
	room := f.rooms[c.post.Room]
	switch {
	case room == nil && direct && f.active[low] && f.active[high]:
		return "" // the first message makes the room
	case room == nil || room.state == tenant.RoomDeleted:
		return refusedRoom
	case room.kind != c.post.Kind || room.class != c.post.Class:
		return refusedPlace
	case room.state != tenant.RoomActive && !c.msg.at.Before(room.changedAt):
		// What was acknowledged before the room was closed still counts.
		return refusedClosed
	}
	return ""
}

// checkEvent is check for what the platform says. It says it also where nobody may post.
func checkEvent(f *facts, c candidate, doom bool) string {
	room := f.rooms[c.post.Room]
	switch _, ok := parseEvent(c.msg.data); {
	case room == nil || room.state == tenant.RoomDeleted:
		return refusedRoom
	case room.kind != c.post.Kind || room.class != c.post.Class:
		return refusedPlace
	case !ok || doom:
		return refusedBody
	}
	return ""
}

func checkMutes(f *facts, c candidate) string {
	sender := tenant.UserID(c.post.Sender)
	for _, room := range []tenant.RoomID{c.post.Room, ""} {
		if m := f.mutes[pair{room, sender}]; m.covers(c.msg.at) {
			return string(m.why)
		}
	}
	return ""
}

// admit numbers a message, unless its sender stored it before. Events have no numbers.
func (d *ruling) admit(f *facts, c candidate, b body) {
	sender := tenant.UserID(c.post.Sender)
	room := f.rooms[c.post.Room]
	if room == nil {
		room = d.create(f, c)
	}
	key := onceKey{room.id, c.post.Sender, c.id}
	if f.seen[key] {
		d.doubles++
		return
	}
	f.seen[key] = true
	if c.system() {
		d.rows = append(d.rows, row{room: room, sender: sender, id: c.id, msg: c.msg})
		return
	}
	room.lastN++
	room.touched, room.lastSeq, room.lastAt = true, c.msg.seq, c.msg.at
	d.rows = append(d.rows, row{room: room, n: room.lastN, sender: sender, id: c.id, msg: c.msg, body: b})
	if room.kind == tenant.Open && f.active[sender] {
		d.join(f, room.id, sender)
	}
}

func (d *ruling) create(f *facts, c candidate) *roomFact {
	room := &roomFact{id: c.post.Room, kind: tenant.Direct, class: c.post.Class, state: tenant.RoomActive, changedAt: c.msg.at}
	f.rooms[room.id] = room
	d.created = append(d.created, room)
	low, high, _ := room.id.Pair()
	d.join(f, room.id, low)
	d.join(f, room.id, high)
	return room
}

// join makes a member of a poster who is none. A ban stays.
func (d *ruling) join(f *facts, room tenant.RoomID, u tenant.UserID) {
	p := pair{room, u}
	if state := f.members[p]; state == "" || state == tenant.Invited {
		f.members[p] = tenant.Joined
		d.joins = append(d.joins, p)
	}
}

// place names the sender and room of a refused message as well as its subject does.
func place(c candidate) (sender, room string) {
	if c.system() {
		return "", string(c.post.Room) // nobody to be told
	}
	if c.ok {
		return c.post.Sender, string(c.post.Room)
	}
	// t.<ACCOUNT>.<class>.<kind>.<room…>.<sender>
	tokens := strings.SplitN(c.msg.subject, ".", 5)
	if len(tokens) < 5 {
		return "", ""
	}
	at := strings.LastIndexByte(tokens[4], '.')
	if at < 0 {
		return "", ""
	}
	room, sender = tokens[4][:at], tokens[4][at+1:]
	if !tenant.ValidID(sender) {
		sender = ""
	}
	if !printable(room) {
		room = ""
	}
	return sender, room
}
