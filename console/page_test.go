package console

import (
	"encoding/json"
	"fmt"
	"testing"
)

func TestPages(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ items, limit, first, pages int }{
		{0, 10, 0, 1}, {9, 10, 9, 1}, {10, 10, 10, 1}, {11, 10, 10, 2}, {25, 10, 10, 3}, {1000, 1000, 1000, 1}, {1001, 1000, 1000, 2},
	} {
		h := newHarness(t, nil)
		h.fake.items = tc.items
		seen, pages, after := 0, 0, ""
		for more := true; more; pages++ {
			var page struct {
				Users []struct{ ID, Name string }
				More  bool
			}
			h.page(fmt.Sprintf("/v1/tenants/t1/users?query=q&limit=%d&after=%s", tc.limit, after), &page)
			if pages == 0 && len(page.Users) != tc.first {
				t.Errorf("%+v: got %d on the first page, want %d", tc, len(page.Users), tc.first)
			}
			for _, u := range page.Users {
				if want := fmt.Sprintf("u%04d", seen); u.ID != want || u.Name != "q" {
					t.Errorf("%+v: got %v, want %s", tc, u, want)
				}
				seen, after = seen+1, u.ID
			}
			more = page.More
		}
		if seen != tc.items || pages != tc.pages {
			t.Errorf("%+v: got %d items on %d pages, want %d on %d", tc, seen, pages, tc.items, tc.pages)
		}
	}
}

// TestTrails pages through entries by the cursor that each page gives.
func TestTrails(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ items, limit int }{
		{0, 2}, {2, 2}, {3, 2}, {20, 3}, {20, 100}, {21, 2}, {999, 1000}, {1000, 1000}, {1001, 1000}, {2500, 1000},
	} {
		h := newHarness(t, nil)
		h.fake.items = tc.items
		seen, after := 0, ""
		for more := true; more; {
			var page struct {
				Audit []struct{ Object string }
				More  bool
				Next  string
			}
			h.page(fmt.Sprintf("/v1/tenants/t1/audit?limit=%d&after=%s", tc.limit, after), &page)
			if len(page.Audit) > tc.limit || page.More != (page.Next != "") {
				t.Fatalf("%+v: got %d entries, more %v, next %q, want at most the limit, and next where there is more", tc, len(page.Audit), page.More, page.Next)
			}
			for _, e := range page.Audit {
				if e.Object != fmt.Sprint(seen) {
					t.Fatalf("%+v: got the entry %s, want %d", tc, e.Object, seen)
				}
				seen++
			}
			more, after = page.More, page.Next
		}
		if seen != tc.items {
			t.Errorf("%+v: got %d entries, want all", tc, seen)
		}
	}
}

func (h *harness) page(path string, into any) {
	h.t.Helper()
	got := h.do("GET", path, key1, "")
	if err := json.Unmarshal([]byte(got.body), into); err != nil || got.status != 200 {
		h.t.Fatalf("%s: got %d %s (%v), want a page", path, got.status, got.body, err)
	}
}
