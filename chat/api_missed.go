package chat

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

// maxMissed is how many rooms can be asked for at once: as many as a working set has.
const maxMissed = 50

type missedRequest struct {
	Rooms []missedPlace `json:"rooms"`
	Limit int           `json:"limit"` // in each room
}

// A missedPlace is how far a user has read a room.
type missedPlace struct {
	Room  string `json:"room"`
	After uint64 `json:"after"` // 0: nothing of it
}

// check parses the request. Each room is there once.
func (q *missedRequest) check() (ids []tenant.RoomID, err error) {
	page := tenant.HistoryQuery{Limit: q.Limit}
	if err = page.Check(); err != nil {
		return nil, err
	}
	q.Limit = page.Limit
	if len(q.Rooms) == 0 || len(q.Rooms) > maxMissed {
		return nil, tenant.Invalid("rooms", "must be 1 to 50 rooms")
	}
	for _, p := range q.Rooms {
		id, err := tenant.ParseRoomID("rooms", p.Room)
		switch {
		case err != nil:
			return nil, err
		case p.After > maxSequence:
			return nil, tenant.Invalid("rooms", "after must be a sequence")
		case slices.Contains(ids, id):
			return nil, tenant.Invalid("rooms", "must be there once each")
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// opMissed reads what is new in several rooms: one request where history would take one for each. Who comes
// back asks it first, so that a server to which all come back has a tenth of the questions.
func (c *Chat) opMissed(ctx context.Context, who caller, q missedRequest) (any, error) {
	ids, err := q.check()
	if err != nil {
		return nil, err
	}
	rooms, err := c.readableOf(ctx, who, ids)
	if err != nil {
		return nil, err
	}
	if err = c.caughtUp(ctx, streamsOf(rooms)...); err != nil {
		return nil, err
	}
	var batch pgx.Batch
	for i, p := range q.Rooms {
		if room := rooms[ids[i]]; room != nil {
			sql, args := historyQuery(*room, tenant.HistoryQuery{After: max(p.After, 1), Limit: q.Limit}) // 0 would ask for the newest
			batch.Queue(sql, args...)
		}
	}
	answer := missedAnswer{limit: q.Limit, bytes: int(c.conn.MaxPayload()) - envelope}
	results := c.pool.SendBatch(ctx, &batch)
	err = answer.write(results, ids, rooms)
	if closed := results.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, fmt.Errorf("read what was missed: %w", fromDB(err))
	}
	return encoded(answer.text), nil
}

// readableOf finds those of several rooms that a user may read.
func (c *Chat) readableOf(ctx context.Context, who caller, ids []tenant.RoomID) (map[tenant.RoomID]*seenRoom, error) {
	found, err := c.seenRooms(ctx, who.tenant, ids, who.user)
	if err == nil && len(found) < len(ids) && slices.ContainsFunc(ids, isPair) {
		// A message acknowledged before may have made one of them.
		if err = c.allCaughtUp(ctx, who.tenant); err == nil {
			found, err = c.seenRooms(ctx, who.tenant, ids, who.user)
		}
	}
	rooms := make(map[tenant.RoomID]*seenRoom, len(found))
	for i, room := range found {
		if room.rights.Read {
			rooms[room.id] = &found[i]
		}
	}
	return rooms, err
}

func isPair(r tenant.RoomID) bool {
	_, _, ok := r.Pair()
	return ok
}

func streamsOf(rooms map[tenant.RoomID]*seenRoom) (all []string) {
	for _, room := range rooms {
		if !slices.Contains(all, room.stream) {
			all = append(all, room.stream)
		}
	}
	return all
}

// A missedAnswer has the rooms in the order in which they were asked. Where there is no space left, a room has no
// messages, and more.
type missedAnswer struct {
	text  []byte
	limit int // messages in each room
	bytes int // of the whole
	page  page
	some  bool // of the rooms have messages
}

// write takes the results of the rooms that may be read.
func (a *missedAnswer) write(results pgx.BatchResults, ids []tenant.RoomID, rooms map[tenant.RoomID]*seenRoom) error {
	a.text = append(a.text, `{"ok":true,"rooms":[`...)
	for i, id := range ids {
		if i > 0 {
			a.text = append(a.text, ',')
		}
		var err error
		if room := rooms[id]; room == nil {
			err = a.refuse(id, tenant.NotFound("room"))
		} else {
			err = a.add(results, room)
		}
		if err != nil {
			return fmt.Errorf("room %s: %w", id, err)
		}
	}
	a.text = append(a.text, `]}`...)
	return nil
}

// add writes the next result, of a room.
func (a *missedAnswer) add(results pgx.BatchResults, room *seenRoom) error {
	rows, err := results.Query()
	if err != nil {
		return err
	}
	if err = a.page.read(rows, room, a.limit, a.bytes-len(a.text)); err != nil {
		return err
	}
	if len(a.page.ends) == 0 && a.page.more && !a.some {
		return a.refuse(room.id, errAnswerTooLarge) // all of the space was there
	}
	a.some = a.some || len(a.page.ends) > 0
	if a.text, err = jsontext.AppendQuote(append(a.text, `{"room":`...), room.id); err != nil {
		return err
	}
	a.text = appendMore(a.page.appendTo(append(a.text, `,"messages":`...), false), a.page.more)
	return nil
}

// refuse writes why a room can't be read.
func (a *missedAnswer) refuse(id tenant.RoomID, why error) error {
	r := refuse(why)
	text, err := json.Marshal(struct {
		Room    tenant.RoomID `json:"room"`
		Code    tenant.Code   `json:"code"`
		Message string        `json:"message"`
	}{id, r.Code, r.Message})
	a.text = append(a.text, text...)
	return err
}
