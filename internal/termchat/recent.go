package termchat

import (
	"cmp"
	"slices"
	"strings"

	"parley/client"
)

// maxRecent is how many messages a view remembers.
const maxRecent = 500

// recent are the messages that were shown last, in the order of the room: what commands and events speak of.
type recent struct{ all []client.Message }

func (r *recent) add(m client.Message) {
	i, _ := slices.BinarySearchFunc(r.all, m, func(a, b client.Message) int { return cmp.Compare(a.Seq, b.Seq) })
	r.all = slices.Insert(r.all, i, m)
	if len(r.all) > maxRecent {
		r.all = slices.Delete(r.all, 0, 1)
	}
}

// last is the newest message that passes.
func (r *recent) last(test func(client.Message) bool) (client.Message, bool) {
	for _, m := range slices.Backward(r.all) {
		if m.Event == nil && !m.Deleted && test(m) {
			return m, true
		}
	}
	return client.Message{}, false
}

// apply follows an event, and returns the message that it is about as it was before.
func (r *recent) apply(e client.Event) (was client.Message, ok bool) {
	i := slices.IndexFunc(r.all, func(m client.Message) bool { return e.Seq != 0 && m.Seq == e.Seq })
	if i < 0 {
		return client.Message{}, false
	}
	was = r.all[i]
	switch e.Type {
	case client.EventEdited:
		r.all[i].Text, r.all[i].Edited = e.Text, true
	case client.EventDeleted:
		r.all[i].Text, r.all[i].Deleted = "", true
	}
	return was, true
}

const excerptCells = 24

// excerpt is the beginning of a message, for a line that speaks of it.
func excerpt(m client.Message) string {
	text := []rune(strings.Join(strings.Fields(clean(m.Text)), " "))
	if len(text) > excerptCells {
		text = append(text[:excerptCells-1], '…')
	}
	if len(text) == 0 {
		return "a message"
	}
	return "“" + string(text) + "”"
}
