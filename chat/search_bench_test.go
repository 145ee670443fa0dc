package chat

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/tenant"
)

// The archive that is searched: so many messages in rooms of very different size, of words some of which are
// in most messages and most in few.
const (
	searchedMessages = 1_000_000
	searchedRooms    = 200
	vocabulary       = 20_000
)

// BenchmarkSearch looks in a million messages for words from the most frequent to the rarest, as users who
// may read all rooms, or few.
func BenchmarkSearch(b *testing.B) {
	s := newSite(b)
	newArchive(s)
	stop := s.run(s.chat)
	defer stop()
	r := rand.New(rand.NewPCG(1, 2))
	word := func(from, to int) string { return fmt.Sprintf("w%d", from+r.IntN(to-from)) }
	cases := []struct {
		name  string
		as    tenant.UserID
		room  tenant.RoomID
		query func() string
	}{
		{"frequent", "alice", "", func() string { return word(0, 10) }},
		{"usual", "alice", "", func() string { return word(100, 1000) }},
		{"rare", "alice", "", func() string { return word(10_000, vocabulary) }},
		{"two frequent", "alice", "", func() string { return word(0, 10) + " " + word(10, 30) }},
		{"frequent and rare", "alice", "", func() string { return word(0, 10) + " " + word(10_000, vocabulary) }},
		{"beginning", "alice", "", func() string { return word(1000, 2000) + "*" }},
		{"part of Korean", "alice", "", func() string { return hangul(r, 2) }},
		{"longer part of Korean", "alice", "", func() string { return hangul(r, 3) }},
		{"frequent, in one room", "alice", "room199", func() string { return word(0, 10) }},
		{"rare, in one room", "alice", "room0", func() string { return word(1000, 10_000) }},
		{"frequent, of few rooms", "carol", "", func() string { return word(0, 10) }},
		{"rare, of few rooms", "carol", "", func() string { return word(1000, 10_000) }},
		{"nothing", "alice", "", func() string { return "absent" }},
		{"frequent long ago", "alice", "", func() string { return "ago" }},
		{"frequent long ago, in one room", "alice", "room0", func() string { return "ago" }},
	}
	took := make(map[string][]time.Duration)
	var all []time.Duration
	for i := 0; b.Loop(); i++ {
		c := cases[i%len(cases)]
		q := tenant.SearchQuery{Query: c.query(), Room: c.room, As: c.as, Limit: tenant.DefaultSearch}
		// Every other search goes on for some pages, each of which counts.
		for range 1 + 2*(i%2) {
			begun := time.Now()
			page, err := s.chat.search(context.Background(), "acme", q)
			if err != nil {
				b.Fatalf("%s %q: %v", c.name, q.Query, err)
			}
			d := time.Since(begun)
			took[c.name], all = append(took[c.name], d), append(all, d)
			if q.After = page.Next; q.After == "" {
				break
			}
		}
	}
	var table strings.Builder
	for _, c := range cases {
		fmt.Fprintf(&table, "\n%-30s p50 %-10s p95 %s", c.name, percentile(took[c.name], 50), percentile(took[c.name], 95))
	}
	b.Log(table.String())
	b.ReportMetric(percentile(all, 50).Seconds()*1000, "p50-ms")
	b.ReportMetric(percentile(all, 95).Seconds()*1000, "p95-ms")
	b.ReportMetric(percentile(all, 99).Seconds()*1000, "p99-ms")
}

func percentile(d []time.Duration, p int) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[min(len(d)-1, len(d)*p/100)].Round(10 * time.Microsecond)
}

func hangul(r *rand.Rand, n int) (s string) {
	for range n {
		s += string(rune('가' + 28*r.IntN(100)))
	}
	return s
}

// newArchive writes the messages and their words as the projector would. Half of the rooms are private, of which carol
// is in five; one message in ten is of six Korean syllables.
func newArchive(s *site) {
	for i := range searchedRooms {
		v := s.room(tenant.RoomID(fmt.Sprintf("room%d", i)), []tenant.Kind{tenant.Open, tenant.Private}[i%2], tenant.Std)
		state := tenant.Banned
		if v.kind == tenant.Private {
			s.member(v.room, "alice", tenant.RoleMember, tenant.Joined)
			if i < 10 {
				state = tenant.Joined
			}
		}
		s.member(v.room, "carol", tenant.RoleMember, state)
	}
	key := scopeOf("acme")
	gin := query[string](s, `SELECT indexdef FROM pg_indexes WHERE indexname = 'message_words_words'`)
	for _, sql := range []string{
		`ALTER TABLE messages DISABLE TRIGGER ALL`,
		`DROP INDEX message_words_words`,
		fmt.Sprintf(`INSERT INTO messages (room_pk, seq, n, sender, message_id, at, text)
			SELECT r.room_pk, i, i, 'alice', i, now() - interval '30 days' + i * interval '2 seconds', t.text
			FROM generate_series(1, %d) i
			CROSS JOIN LATERAL (SELECT CASE WHEN i %% 10 = 0
				THEN (SELECT string_agg(chr(44032 + 28 * floor(100 * random())::int), '') FROM generate_series(1, 6) WHERE i > 0)
				ELSE (SELECT string_agg('w' || floor(%d * power(random(), 4))::int, ' ') FROM generate_series(1, 8) WHERE i > 0)
					|| CASE WHEN i < %d THEN ' ago' ELSE '' END END AS text) t
			JOIN (SELECT room_pk, row_number() OVER (ORDER BY room_pk) AS k FROM rooms) r ON r.k = 1 + floor(%d * power(abs(sin(i)), 4))::int`,
			searchedMessages, vocabulary, searchedMessages/2, searchedRooms),
		fmt.Sprintf(`INSERT INTO message_words (room_pk, seq, scope, at, words)
			SELECT room_pk, seq, %d, at, array_to_tsvector(CASE WHEN text LIKE 'w%%'
				THEN string_to_array('%[2]s' || replace(text, ' ', ' %[2]s'), ' ')
				ELSE ARRAY[%[3]s] END || ('%[2]s#' || m.room)) FROM messages JOIN (%[4]s) m USING (room_pk)`,
			key.number, key.key, bigrams(key.key), s.roomWords()),
		gin,
		`ANALYZE messages`,
		`ANALYZE message_words`,
	} {
		if _, err := s.pool.Exec(context.Background(), sql); err != nil {
			s.t.Fatalf("%s: %v", sql, err)
		}
	}
}

// bigrams is SQL for the words of a text of six syllables.
func bigrams(key string) string {
	var all []string
	for i := 1; i <= 6; i++ {
		all = append(all, fmt.Sprintf(`'%s' || substr(text, %d, 2)`, key, i))
	}
	return strings.Join(all, ", ")
}

// roomWords is SQL for what scope.room writes of each room.
func (s *site) roomWords() string {
	rows, err := s.pool.Query(s.ctx(), `SELECT room_pk FROM rooms`)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var pk int64
		if err = rows.Scan(&pk); err != nil {
			s.t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("(%d::bigint, '%s')", pk, strings.TrimPrefix(scope{}.room(pk), "#")))
	}
	return "SELECT * FROM (VALUES " + strings.Join(all, ", ") + ") AS v (room_pk, room)"
}
