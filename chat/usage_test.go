package chat

import (
	"reflect"
	"testing"
	"time"

	"parley/tenant"
)

func TestUsageNowAndByDay(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	setClock := s.setClock()
	today := time.Now().UTC().Truncate(24 * time.Hour).Add(time.Hour)
	setClock(today)
	s.run(s.chat)
	post := func(n int) {
		for range n {
			s.post(town.by("alice"), "m")
		}
		s.texts("town")
	}
	record := func(day int) {
		setClock(today.AddDate(0, 0, day))
		if err := s.chat.writeUsage(s.ctx()); err != nil {
			t.Fatal(err)
		}
	}
	s.online(true, "alice", "bob")
	post(3)
	record(0)
	s.online(false, "bob")
	record(0)
	post(2)
	record(1)
	s.exec(`UPDATE room_heads SET first_n = 3`) // as retention does
	now, days, err := s.chat.Usage(s.ctx(), "acme", 30)
	if err != nil {
		t.Fatal(err)
	}
	if use := now.Storage[tenant.Std]; use.Messages != 5 || use.Bytes == 0 || use.Limit != tenant.Plan.StorageBytes || len(now.Storage) != 1 {
		t.Errorf("storage: got %+v", now.Storage)
	}
	now.Storage = nil
	want := tenant.Usage{
		Messages: tenant.MessageUse{Stored: 5, Kept: 3}, Connections: tenant.Use{Used: 1, Limit: tenant.Plan.Connections},
		Users: tenant.Use{Used: 5, Limit: tenant.Plan.Users}, Rooms: tenant.Use{Used: 1, Limit: tenant.Plan.Rooms},
	}
	if !reflect.DeepEqual(now, want) {
		t.Errorf("now: got %+v, want %+v", now, want)
	}
	for i, w := range []tenant.UsageDay{{Messages: 3, Connections: 2}, {Messages: 2, Connections: 1}} {
		w.Day, w.Users, w.Rooms = today.AddDate(0, 0, i).Format(time.DateOnly), 5, 1
		if len(days) != 2 || days[i].Bytes == 0 {
			t.Fatalf("days: got %+v", days)
		}
		if w.Bytes = days[i].Bytes; days[i] != w {
			t.Errorf("day %d: got %+v, want %+v", i, days[i], w)
		}
	}
	if _, last, _ := s.chat.Usage(s.ctx(), "acme", 1); len(last) != 1 || last[0] != days[1] {
		t.Errorf("the last day alone: got %+v, want %+v", last, days[1])
	}
	if _, _, err = s.chat.Usage(s.ctx(), "nobody", 1); codeOf(err) != tenant.CodeNotFound {
		t.Errorf("no tenant: got %v, want not_found", err)
	}
	record(tenant.MaxUsageDays + 1)
	if n := query[int](s, `SELECT count(*) FROM usage_days`); n != 2 { // the second day and this one
		t.Errorf("got %d days kept, want 2", n)
	}
}
