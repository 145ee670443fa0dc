package console

import (
	"slices"
	"testing"

	"parley/tenant"
)

func TestChartsOfDays(t *testing.T) {
	t.Parallel()
	days := []tenant.UsageDay{{Day: "2026-11-24", Messages: 3, Connections: 1}, {Day: "2026-11-25", Messages: 5, Connections: 2, Bytes: 3 << 20}}
	if got := charts(days[:1]); got != nil {
		t.Errorf("one day: got %v, want no line", got)
	}
	got := charts(days)
	if len(got) != 3 || !slices.Equal(got[0].Values, []int64{3, 5}) || !slices.Equal(got[1].Values, []int64{1, 2}) || !slices.Equal(got[2].Values, []int64{0, 3}) ||
		!slices.Equal(got[0].At, []int64{1795478400, 1795564800}) {
		t.Errorf("got %+v, want the messages, connections and MB of both days at their midnights", got)
	}
}

func TestStorageAgainstLimits(t *testing.T) {
	t.Parallel()
	u := tenant.Usage{Storage: map[tenant.Class]tenant.ClassUse{tenant.Std: {Bytes: 3 << 20, Limit: 1 << 30}, tenant.Keep: {Bytes: 1<<20 + 5, Limit: 2 << 30}}}
	if got := storageTile(u); got.Value != 4<<20+5 || got.Most != 3<<30 || !got.Size {
		t.Errorf("got %+v, want the sums of bytes and limits", got)
	}
}
