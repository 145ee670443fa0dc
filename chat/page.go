package chat

import (
	"encoding/binary"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// A page is a part of a room's history as JSON. Most messages are plain text: those go from the row into
// the answer without a tenant.Message between, for half of the CPU.
type page struct {
	text []byte // tenant.Message after tenant.Message, nothing between
	ends []int  // of each in text
	more bool
}

// read is readPage for the chat API. Where the first message alone has too many bytes there is none. What the
// page held before is gone, its memory is used again.
func (p *page) read(rows pgx.Rows, room *seenRoom, limit, bytes int) (err error) {
	defer rows.Close()
	p.text, p.ends, p.more = p.text[:0], p.ends[:0], false
	for rows.Next() {
		from := len(p.text)
		if len(p.ends) == limit {
			p.more = true
			return nil
		}
		if p.text, err = appendRow(p.text, rows, room); err != nil {
			return err
		}
		if len(p.text)+len(p.ends) > bytes { // with the commas
			p.text, p.more = p.text[:from], true
			return nil
		}
		p.ends = append(p.ends, len(p.text))
	}
	return rows.Err()
}

// size is the length of the page in an answer.
func (p *page) size() int { return len(`[]`) + len(p.text) + max(0, len(p.ends)-1) }

// appendTo writes the page as an array, in the order of the rows or in the other.
func (p *page) appendTo(dst []byte, backward bool) []byte {
	dst = append(slices.Grow(dst, max(p.size(), len(dst))), '[') // several pages go into one answer: let it double
	for i := range p.ends {
		if i > 0 {
			dst = append(dst, ',')
		}
		if backward {
			i = len(p.ends) - 1 - i
		}
		from := 0
		if i > 0 {
			from = p.ends[i-1]
		}
		dst = append(dst, p.text[from:p.ends[i]]...)
	}
	return append(dst, ']')
}

// appendRow writes a row of sqlMessageColumns as a tenant.Message.
func appendRow(dst []byte, rows pgx.Rows, room *seenRoom) ([]byte, error) {
	if room.viewer == room.host {
		if p, ok := plainOf(rows); ok {
			return p.appendTo(dst)
		}
	}
	m, _, err := scanMessage(rows)
	if err != nil {
		return nil, err
	}
	room.show(&m)
	text, err := json.Marshal(m)
	return append(dst, text...), err
}

// A plainRow is a message with nothing but a text and its place: it may be a reply, or have some.
type plainRow struct {
	seq, n, thread, replies int64
	at                      time.Time
	sender, text            []byte
}

// The columns of sqlMessageColumns.
const (
	columnSeq = iota
	columnN
	columnSender
	columnAt
	columnText
	columnThread
	columnReplies
	columnsOfPlain // behind them NULL
)

// plainOf reads a row in Postgres's binary form, where it is that of a plain message.
func plainOf(rows pgx.Rows) (p plainRow, ok bool) {
	raw := rows.RawValues()
	for _, v := range raw[columnsOfPlain:] {
		if v != nil {
			return p, false
		}
	}
	form := rows.FieldDescriptions()
	number := func(column int) (n int64) {
		switch v := raw[column]; {
		case form[column].Format != pgtype.BinaryFormatCode:
			ok = false
		case len(v) == 8:
			return int64(binary.BigEndian.Uint64(v)) //nolint:gosec // G115: two's complement, as it was sent
		case len(v) == 4:
			return int64(int32(binary.BigEndian.Uint32(v))) //nolint:gosec // G115: as above
		default:
			ok = false
		}
		return 0
	}
	ok = true
	p.seq, p.n, p.thread, p.replies = number(columnSeq), number(columnN), number(columnThread), number(columnReplies)
	p.at = time.UnixMicro(number(columnAt) + epochOfPostgres).UTC()
	p.sender, p.text = raw[columnSender], raw[columnText]
	return p, ok
}

// epochOfPostgres is 2000-01-01 in microseconds since 1970.
const epochOfPostgres = 946_684_800_000_000

func (p *plainRow) appendTo(dst []byte) (_ []byte, err error) {
	field := func(name string, n int64) {
		if n != 0 {
			dst = strconv.AppendInt(append(dst, name...), n, 10)
		}
	}
	dst = strconv.AppendInt(append(dst, `{"seq":`...), p.seq, 10)
	field(`,"n":`, p.n)
	if dst, err = jsontext.AppendQuote(append(dst, `,"sender":`...), p.sender); err != nil {
		return nil, err
	}
	dst = p.at.AppendFormat(append(dst, `,"time":"`...), time.RFC3339Nano)
	if dst, err = jsontext.AppendQuote(append(dst, `","text":`...), p.text); err != nil {
		return nil, err
	}
	field(`,"thread":`, p.thread)
	field(`,"replies":`, p.replies)
	return append(dst, '}'), nil
}
