package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"parley/tenant"
)

// retentionFlags change how long a tenant keeps messages.
type retentionFlags struct {
	StdAge   string `help:"Age of messages in rooms of class std, as 30d, 12h or 90m; 0 is 90d." placeholder:"AGE"`
	WhenFull string `help:"What a class that holds storage_bytes does with a post: discard_old or refuse_new." placeholder:"WHAT"`
}

// addTo adds what was given to the body of a request.
func (f retentionFlags) addTo(body map[string]any) error {
	r := map[string]any{}
	if f.StdAge != "" {
		age, err := parseAge(f.StdAge)
		if err != nil {
			return err
		}
		r["std_seconds"] = int64(age / time.Second)
	}
	if f.WhenFull != "" {
		r["when_full"] = f.WhenFull
	}
	if len(r) > 0 {
		body["retention"] = r
	}
	return nil
}

// parseAge reads a duration that may be in days.
func parseAge(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, fmt.Errorf("--std-age %s is no age: give it as 30d, 12h or 90m", s)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	age, err := time.ParseDuration(s)
	if err != nil || age < 0 {
		return 0, fmt.Errorf("--std-age %s is no age: give it as 30d, 12h or 90m", s)
	}
	return age, nil
}

func printRetention(w io.Writer, r tenant.Retention) {
	full := r.WhenFull
	if full == "" {
		full = tenant.DiscardOld
	}
	fmt.Fprintf(w, "std age   %s\nwhen full %s\n", strings.TrimSuffix(strings.TrimSuffix(r.Age(tenant.Std).String(), "0s"), "0m"), full)
}
