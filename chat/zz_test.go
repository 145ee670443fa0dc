package chat

import (
	"fmt"
	"os"
	"runtime/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func zzReport(s *site, stop chan bool) {
	var last uint64
	same := 0
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Second):
		}
		p := s.chat.leading.Load()
		if p == nil {
			fmt.Println("no leader")
			continue
		}
		p.mu.Lock()
		for _, l := range p.lines {
			fmt.Println("queue", len(l.queue), "cursor", l.cursor, "target-cursor", int64(l.target)-int64(l.cursor), "busy", l.busy, "ready", l.ready, "later", len(p.later), "single", l.single,
				"fetched", testutil.ToFloat64(s.chat.metrics.fetched))
			if l.cursor == last {
				same++
			} else {
				same = 0
			}
			last = l.cursor
		}
		p.mu.Unlock()
		if same == 5 {
			pprof.Lookup("goroutine").WriteTo(os.Stdout, 1)
			rows, err := s.pool.Query(s.ctx(), `SELECT pid::text||' '||coalesce(state,'')||' '||coalesce(wait_event_type,'')||' '||coalesce(wait_event,'')||' '||coalesce((now()-xact_start)::text,'')||' '||query FROM pg_stat_activity`)
			if err == nil {
				for rows.Next() {
					var x string
					rows.Scan(&x)
					fmt.Println("PG", x)
				}
			}
		}
	}
}
