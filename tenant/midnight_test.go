package tenant

import (
	"testing"
	"time"
	_ "time/tzdata" // the zones of the table, on any machine
)

func TestMidnightByTheClocksOfAPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ place, now, want, why string }{
		{"UTC", "2026-11-25T00:00:00Z", "2026-11-25T00:00:00Z", "midnight itself"},
		{"UTC", "2026-11-25T23:59:59.999999999Z", "2026-11-25T00:00:00Z", "the last of a day"},
		{"Asia/Kathmandu", "2026-11-25T18:14:59Z", "2026-11-24T18:15:00Z", "an offset with minutes"},
		{"Asia/Kathmandu", "2026-11-25T18:15:00Z", "2026-11-25T18:15:00Z", "an offset with minutes"},
		{"Europe/Berlin", "2026-03-29T21:59:59Z", "2026-03-28T23:00:00Z", "a day of 23 hours"},
		{"Europe/Berlin", "2026-03-29T22:00:00Z", "2026-03-29T22:00:00Z", "behind it"},
		{"Europe/Berlin", "2026-10-25T22:59:59Z", "2026-10-24T22:00:00Z", "a day of 25 hours"},
		{"Europe/Berlin", "2026-10-25T23:00:00Z", "2026-10-25T23:00:00Z", "behind it"},
		{"Antarctica/Troll", "2026-10-25T23:59:59Z", "2026-10-24T22:00:00Z", "a day of 26 hours"},
		{"Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29T10:00:00Z", "the day before the one that was left out"},
		{"Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "from the 29th to the 31st"},
		{"Pacific/Apia", "2011-12-31T09:59:59Z", "2011-12-30T10:00:00Z", "the 31st"},
		{"Pacific/Apia", "2026-11-25T11:00:00Z", "2026-11-25T11:00:00Z", "as it is today"},
		{"America/Santiago", "2026-09-06T03:59:59Z", "2026-09-05T04:00:00Z", "clocks that skip midnight: before"},
		{"America/Santiago", "2026-09-06T04:00:00Z", "2026-09-06T04:00:00Z", "clocks that skip midnight: from 24:00 to 1:00"},
		{"America/Havana", "2026-11-01T04:30:00Z", "2026-11-01T04:00:00Z", "between 0:00 and 1:00, which comes again"},
		{"America/Havana", "2026-11-01T05:30:00Z", "2026-11-01T04:00:00Z", "0:00 to 1:00 once more is the same day"},
		{"America/St_Johns", "2010-11-07T02:30:30Z", "2010-11-07T02:30:00Z", "the first midnight of a clock that goes back at 0:01"},
		{"America/St_Johns", "2010-11-07T03:00:00Z", "2010-11-07T02:30:00Z", "it is 23:30 again, the date went back and not forward"},
		{"America/St_Johns", "2010-11-07T03:30:00Z", "2010-11-07T03:30:00Z", "the second midnight"},
		{"America/St_Johns", "2026-07-01T02:29:59Z", "2026-06-30T02:30:00Z", "as it is today"},
	} {
		place, err := time.LoadLocation(c.place)
		if err != nil {
			t.Fatal(err)
		}
		now, _ := time.Parse(time.RFC3339Nano, c.now)
		if got := Midnight(now, place).UTC().Format(time.RFC3339Nano); got != c.want {
			t.Errorf("%s at %s (%s): got %s, want %s", c.place, c.now, c.why, got, c.want)
		}
	}
}

// In each zone, over some years, it never goes back, is never in the future, and never more than 26 hours ago but where a day is left out.
func TestMidnightNeverGoesBack(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Europe/Berlin", "Pacific/Apia", "America/St_Johns", "America/Santiago", "Africa/Cairo", "Asia/Beirut", "Australia/Lord_Howe", "America/Havana"} {
		place, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		last := time.Time{}
		for now := time.Date(2009, 1, 1, 0, 0, 0, 0, time.UTC); now.Year() < 2013; now = now.Add(10 * time.Minute) {
			m := Midnight(now, place)
			if m.Before(last) || m.After(now) || now.Sub(m) >= 26*time.Hour {
				t.Fatalf("%s at %s: got %s after %s", name, now, m, last)
			}
			last = m
		}
	}
}
