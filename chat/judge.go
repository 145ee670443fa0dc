package chat

import (
	"slices"
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
	refusedMember  = "not_member"     // or only a reader, when the message was stored
	refusedHeaders = "forged_headers" // headers that only the server writes
	refusedBody    = "invalid_body"
	refusedThread  = "thread_unknown"  // the reply is to no message of the room, or to a reply
	refusedTarget  = "message_unknown" // the event is about no message of the room, or a deleted one
	refusedSize    = "too_large"
	refusedRevoked = "revoked" // the sender, when the message was stored
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
	readOnly map[pair]bool     // of the members of shared rooms
	posters  map[pair][]period // when they might post in shared rooms before
	mutes    map[pair][]mute   // without a room: in all
	seen     map[onceKey]bool  // messages that are there already
	targets  map[targetKey]*target
	anew     bool // the transaction plans each statement anew
	restraints
}

// A period is from since until before until.
type period struct{ since, until time.Time }

// A mute keeps a user's posts from counting that were stored from since to until: a moderator muted him, or he
// had lost the right to post and his connections were not closed yet.
type mute struct {
	why   string // the code of the refusal
	since time.Time
	until *time.Time // nil: it does not end
}

func (m mute) covers(at time.Time) bool {
	return !at.Before(m.since) && (m.until == nil || at.Before(*m.until))
}

// A row is a message that counts, numbered.
type row struct {
	room   *roomFact
	n      int64 // 0: an event, whose JSON is the message's
	sender tenant.UserID
	id     string
	msg    *stored
	body   body
	target uint64          // of an event: the message that it is about
	told   []tenant.UserID // of the mentioned, who get a notice
	again  bool            // it was erased from its stream, and is known by its edit
}

type refusal struct {
	seq     uint64
	account string // the sender's; "": the stream's
	sender  string // "": the subject names none
	room    string
	code    string
}

// A ruling is what becomes of a batch.
type ruling struct {
	rows    []row
	refused []refusal
	created []*roomFact // direct rooms
	joins   []joining
	doubles []uint64 // sequences
	erased  bool     // something is to be erased from the stream
}

// A joining makes a member of who posts.
type joining struct {
	pair
	at time.Time
}

// candidate is a message with its subject and its body parsed.
type candidate struct {
	msg     *stored
	account string        // whose user posts
	address tenant.RoomID // of a shared room
	post    subject.Post
	ok      bool
	id      string
	body    body
	event   tenant.Event
	sound   bool // the body, or the event, is what it should be
}

// system reports whether the platform itself speaks.
func (c candidate) system() bool { return c.post.Sender == tenant.System }

func candidates(stream string, msgs []stored) []candidate {
	all := make([]candidate, len(msgs))
	for i := range msgs {
		m := &msgs[i]
		c := candidate{msg: m, id: m.messageID(stream)}
		if subject.IsSharedStream(stream) {
			c.account, c.post, c.ok = parseShared(stream, m.subject)
		} else {
			c.account, c.post, c.ok = subject.ParseStored(m.subject)
			c.ok = c.ok && subject.Stream(c.account, c.post.Class) == stream
		}
		if c.system() {
			c.event, c.sound = parseEvent(m.data)
		} else if c.ok {
			var err error
			c.body, err = parseBody(m.data)
			c.sound = err == nil
		}
		all[i] = c
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
		code := check(f, c, doom)
		if code == "" {
			code = d.admit(f, c)
		}
		if code == "" {
			continue
		}
		account, sender, room := place(c)
		if code == string(tenant.OverRate) {
			sender = "" // he was told when he was muted, once and not for each post
		}
		d.refused = append(d.refused, refusal{seq: c.msg.seq, account: account, sender: sender, room: room, code: code})
	}
	return d
}

// check returns the code of the first rule that a message breaks, or "".
func check(f *facts, c candidate, doom bool) string {
	if !c.ok {
		return refusedSubject
	}
	if c.msg.forged {
		return refusedHeaders
	}
	if c.system() {
		return checkEvent(f, c, doom)
	}
	if code := checkRoom(f, c); code != "" {
		return code
	}
	if code := checkMutes(f, c); code != "" {
		return code
	}
	if f.seen[onceKey{c.post.Room, c.post.Sender, c.id}] {
		return "" // stored before, and no new post to be held back
	}
	if code := f.check(c); code != "" {
		return code
	}
	if int64(len(c.msg.data)) > f.limits.MessageBytes {
		return refusedSize
	}
	if !c.sound || doom {
		return refusedBody
	}
	if root := f.targets[targetKey{c.post.Room, c.body.Thread}]; c.body.Thread > 0 &&
		(root == nil || root.number == 0 || root.thread > 0) {
		return refusedThread
	}
	return ""
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
	case room.kind == tenant.Shared && !f.mayPost(pair{room.id, sender}, c.msg.at):
		return refusedMember
	case room.state != tenant.RoomActive && !c.msg.at.Before(room.changedAt):
		// What was acknowledged before the room was closed still counts.
		return refusedClosed
	}
	return ""
}

// checkEvent is check for what the platform says. It says it also where nobody may post.
func checkEvent(f *facts, c candidate, doom bool) string {
	room := f.rooms[c.post.Room]
	switch {
	case room == nil || room.state == tenant.RoomDeleted:
		return refusedRoom
	case room.kind != c.post.Kind || room.class != c.post.Class:
		return refusedPlace
	case !c.sound || doom:
		return refusedBody
	}
	return ""
}

func checkMutes(f *facts, c candidate) string {
	sender := tenant.UserID(c.post.Sender)
	for _, room := range []tenant.RoomID{c.post.Room, ""} {
		for _, m := range f.mutes[pair{room, sender}] {
			if m.covers(c.msg.at) {
				return m.why
			}
		}
	}
	return ""
}

// admit numbers a message, unless its sender stored it before. Events have no numbers; what
// they say of a message is applied to it.
func (d *ruling) admit(f *facts, c candidate) (code string) {
	sender := tenant.UserID(c.post.Sender)
	room := f.rooms[c.post.Room]
	if room == nil {
		room = d.create(f, c)
	}
	key := onceKey{room.id, c.post.Sender, c.id}
	if f.seen[key] {
		d.doubles = append(d.doubles, c.msg.seq)
		return ""
	}
	if c.system() {
		if c.event.Event == tenant.EventEdited {
			d.restore(f, c, room)
		}
		keep, code := f.fold(c)
		switch {
		case keep:
			d.erased = d.erased || c.event.Event == tenant.EventDeleted || c.event.Event == tenant.EventEdited
			f.seen[key] = true
			d.rows = append(d.rows, row{room: room, sender: sender, id: c.id, msg: c.msg, target: c.event.Seq})
		case code == "":
			d.doubles = append(d.doubles, c.msg.seq)
		}
		return code
	}
	f.seen[key] = true
	c.body.Mentions = f.readers(room, c.body.Mentions)
	room.lastN++
	room.touched, room.lastSeq, room.lastAt = true, c.msg.seq, c.msg.at
	d.rows = append(d.rows, row{room: room, n: room.lastN, sender: sender, id: c.id, msg: c.msg, body: c.body, told: f.audience(room.id, sender, c.body.Mentions)})
	f.posted(c)
	if k := (targetKey{room.id, c.msg.seq}); f.asked(k) {
		f.targets[k] = &target{room: room, seq: k.seq, number: room.lastN, thread: c.body.Thread}
	}
	if c.body.Thread > 0 {
		f.reply(targetKey{room.id, c.body.Thread}, room, 1)
	}
	if room.kind == tenant.Open && f.active[sender] {
		d.join(f, room.id, sender, c.msg.at)
	}
	return ""
}

// readers are those of some users who can read a room, once each.
func (f *facts) readers(room *roomFact, users []string) []string {
	var can []string
	for _, u := range users {
		id := tenant.UserID(u)
		state := f.members[pair{room.id, id}]
		low, high, _ := room.id.Pair()
		reads := state == tenant.Joined
		switch room.kind {
		case tenant.Open, tenant.Announce:
			reads = state != tenant.Banned
		case tenant.Direct:
			reads = id == low || id == high
		}
		if reads && f.active[id] && !slices.Contains(can, u) {
			can = append(can, u)
		}
	}
	return can
}

// asked reports whether something in the batch is about a message.
func (f *facts) asked(k targetKey) bool {
	_, ok := f.targets[k]
	return ok
}

func (d *ruling) create(f *facts, c candidate) *roomFact {
	room := &roomFact{id: c.post.Room, kind: tenant.Direct, class: c.post.Class, state: tenant.RoomActive, changedAt: c.msg.at}
	f.rooms[room.id] = room
	d.created = append(d.created, room)
	low, high, _ := room.id.Pair()
	d.join(f, room.id, low, c.msg.at)
	d.join(f, room.id, high, c.msg.at)
	return room
}

// join makes a member of a poster who is none. A ban stays.
func (d *ruling) join(f *facts, room tenant.RoomID, u tenant.UserID, at time.Time) {
	p := pair{room, u}
	if state := f.members[p]; state == "" || state == tenant.Invited {
		f.members[p] = tenant.Joined
		d.joins = append(d.joins, joining{p, at})
	}
}

// place names the sender and room of a refused message as well as its subject does.
func place(c candidate) (account, sender, room string) {
	switch {
	case c.system():
		return c.account, "", string(c.post.Room) // nobody to be told
	case c.address != "":
		u, _ := splitName(tenant.UserID(c.post.Sender))
		return c.account, string(u), string(c.address)
	case c.ok:
		return c.account, c.post.Sender, string(c.post.Room)
	}
	// t.<ACCOUNT>.<class>.<kind>.<room…>.<sender>
	tokens := strings.SplitN(c.msg.subject, ".", 5)
	if len(tokens) < 5 {
		return "", "", ""
	}
	at := strings.LastIndexByte(tokens[4], '.')
	if at < 0 {
		return "", "", ""
	}
	room, sender = tokens[4][:at], tokens[4][at+1:]
	if !tenant.ValidID(sender) {
		sender = ""
	}
	if !printable(room) {
		room = ""
	}
	return "", sender, room
}
