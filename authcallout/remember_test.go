package authcallout

import (
	"context"
	"fmt"
	"testing"
	"time"

	"parley/tenant"
)

func TestRightPasswordsAreRememberedForAWhile(t *testing.T) {
	t.Parallel()
	h := cheapHasher(1)
	hash := must(h.Hash(context.Background(), "correct"))
	if must(h.Matches(context.Background(), "wrong", hash)) || h.memory.knows("wrong", hash) {
		t.Error("a wrong password is remembered")
	}
	if h.memory.knows("correct", hash) || !must(h.Matches(context.Background(), "correct", hash)) || !h.memory.knows("correct", hash) {
		t.Error("want a right password remembered after its first check")
	}
	again := must(h.Hash(context.Background(), "correct"))
	for name, known := range map[string]bool{
		"another password":     h.memory.knows("wrong", hash),
		"another hash":         h.memory.knows("correct", again),
		"no hash":              h.memory.knows("correct", ""),
		"in another process":   newMemory().knows("correct", hash),
		"the two run together": h.memory.knows("", hash+"correct"),
	} {
		if known {
			t.Errorf("%s: it counts as known", name)
		}
	}
	h.slots <- struct{}{} // all hashing is done by others
	if ok, err := h.Matches(t.Context(), "correct", hash); err != nil || !ok {
		t.Errorf("got %v, %v; want no wait for who was here just now", ok, err)
	}
	for sum := range h.memory.until {
		h.memory.until[sum] = time.Now()
	}
	if h.memory.knows("correct", hash) {
		t.Error("it is remembered beyond its time")
	}
	for i := range maxRemembered + 10 {
		h.memory.learn(tenant.Secret(fmt.Sprint(i)), hash)
	}
	if n := len(h.memory.until); n > maxRemembered {
		t.Errorf("got %d remembered, want at most %d", n, maxRemembered)
	}
}
