package termchat

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/client"
	"parley/tenant"
)

// A page renders what is shown of a room, with separators between its days.
type page struct {
	style style
	me    string
	loc   *time.Location
	width int
	day   string // of the last message
}

const (
	clock     = "15:04"
	dayFormat = "Monday, 2 January 2006"
	nameCells = 12
)

// message renders one, with the day before it where it is the day's first. about is the
// message that an event is about.
func (p *page) message(m, about client.Message) []string {
	at := m.Time.In(p.loc)
	var out []string
	if day := at.Format(dayFormat); day != p.day {
		p.day = day
		out = append(out, p.style.rule(dim, day, p.width))
	}
	if m.Event != nil {
		return append(out, p.line(at, "", p.style.paint(dim, "· "+event(*m.Event, about)))...)
	}
	var body []string
	if m.Deleted {
		body = []string{p.style.paint(dim, "(deleted)")}
	} else {
		body = p.body(m)
	}
	return append(out, p.lines(at, clean(m.Sender), body)...)
}

// body is the text of a message and what hangs on it, wrapped.
func (p *page) body(m client.Message) []string {
	var out []string
	if m.Text != "" {
		text := m.Text
		if m.Thread != 0 {
			text = "↳ " + text
		}
		for _, l := range cleanLines(text) {
			for _, w := range p.wrap(l) {
				if slices.Contains(m.Mentions, p.me) {
					w = p.style.paint(bold, w)
				}
				out = append(out, w)
			}
		}
	}
	for _, a := range m.Attachments {
		label := fmt.Sprintf("[%s, %s] %s", orElse(clean(a.Name), "file"), size(a.Size), clean(a.URL))
		out = append(out, p.wrap(label)...)
	}
	if len(out) == 0 {
		out = []string{p.style.paint(dim, "(data for an application)")}
	}
	var marks []string
	if m.Edited {
		marks = append(marks, "edited")
	}
	if m.Late {
		marks = append(marks, "late")
	}
	if m.Replies > 0 {
		marks = append(marks, count(int64(m.Replies), "reply", "replies"))
	}
	for _, emoji := range sortedKeys(m.Reactions) {
		marks = append(marks, fmt.Sprintf("%s %d", clean(emoji), len(m.Reactions[emoji])))
	}
	if len(marks) > 0 {
		out[len(out)-1] += p.style.paint(dim, " ("+strings.Join(marks, ", ")+")")
	}
	return out
}

// wrap keeps a text in its column: padded with spaces it could else look like a line of somebody else's.
func (p *page) wrap(line string) []string {
	if !p.style.columns {
		return []string{line}
	}
	return wrap(line, max(20, p.width-len(clock)-nameCells-5))
}

func (p *page) line(at time.Time, sender, text string) []string {
	return p.lines(at, sender, []string{text})
}

// lines puts a time and a sender before the first line, and a margin that nobody can write before the others.
func (p *page) lines(at time.Time, sender string, body []string) []string {
	first, rest := at.Format(clock)+" ", strings.Repeat(" ", len(clock)+1)
	if p.style.columns {
		pad := strings.Repeat(" ", max(0, nameCells-cells(sender)))
		first = p.style.paint(dim, first) + pad + p.style.sender(sender) + p.style.paint(dim, " │ ")
		rest += strings.Repeat(" ", nameCells) + p.style.paint(dim, " │ ")
	} else {
		if sender != "" {
			first += sender + ": "
		}
		rest += "| "
	}
	if p.style.columns && cells(sender) > nameCells {
		body = append([]string{""}, body...) // it stands alone, or the text would not keep to its column
	}
	out := make([]string, len(body))
	for i, l := range body {
		if i == 0 {
			out[i] = strings.TrimRight(first+l, " ")
		} else {
			out[i] = rest + l
		}
	}
	return out
}

// unread is the line before the first message that the user has not read.
func (p *page) unread(n int64, since time.Time) string {
	return p.style.rule(red, fmt.Sprintf("%d new since %s", n, since.In(p.loc).Format(clock)), p.width)
}

func event(e client.Event, about client.Message) string {
	who, by := clean(e.User), clean(e.By)
	switch e.Type {
	case client.EventJoined:
		return orElse(who, "somebody") + " joined"
	case client.EventLeft:
		return orElse(who, "somebody") + " left"
	case client.EventEdited:
		return orElse(by, "somebody") + " edited " + excerpt(about) + ": " + clean(e.Text)
	case client.EventDeleted:
		return orElse(by, "somebody") + " deleted " + excerpt(about)
	case client.EventReaction:
		if !e.On {
			return orElse(by, "somebody") + " took " + clean(e.Emoji) + " back from " + excerpt(about)
		}
		return orElse(by, "somebody") + " reacted " + clean(e.Emoji) + " to " + excerpt(about)
	}
	text := clean(e.Type)
	if !e.On && slices.Contains([]string{"banned", "muted", "pinned", "frozen", "archived"}, e.Type) {
		text = "no longer " + text
	}
	if e.Role != "" {
		text += " (" + clean(string(e.Role)) + ")"
	}
	if who != "" {
		text += " " + who
	}
	if by != "" {
		text += " by " + by
	}
	return text
}

// found is one line about a message that was searched for.
func (p *page) found(m client.Found) string {
	var text strings.Builder
	for _, part := range m.Excerpt {
		piece := strings.Join(cleanLines(part.Text), " ")
		if part.Hit {
			piece = p.style.paint(bold, piece)
		}
		text.WriteString(piece)
	}
	return fmt.Sprintf("  %s %s %s: %s", m.Time.In(p.loc).Format("2006-01-02 "+clock), clean(string(m.Room)), clean(m.Sender), text.String())
}

// rooms is a table of rooms.
func rooms(s style, all []client.Room) []string {
	var out []string
	wide := 0
	for _, r := range all {
		wide = max(wide, len(r.ID))
	}
	for _, r := range all {
		line := fmt.Sprintf("  %-*s  %-8s", wide, r.ID, r.Kind)
		switch {
		case r.Unread > 0:
			line += "  " + s.paint(bold, fmt.Sprintf("%5d new", r.Unread))
		case r.Role == "":
			line += "  " + s.paint(dim, "  /join  ")
		default:
			line += "           "
		}
		if r.Mentions > 0 {
			line += fmt.Sprintf("  @%d", r.Mentions)
		}
		out = append(out, strings.TrimRight(line+"  "+clean(r.Title), " "))
	}
	return out
}

// label is how a room is called where it is talked about.
func label(r client.Room, me string) string {
	low, high, pair := r.ID.Pair()
	switch {
	case !pair:
		return string(r.ID)
	case string(low) == me:
		return "@" + string(high)
	}
	return "@" + string(low)
}

func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func sortedKeys(m map[string][]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// isOpenTo reports whether a user need not be a member to read.
func isOpenTo(k tenant.Kind) bool { return k == tenant.Open || k == tenant.Announce }
