package authcallout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"parley/internal/outbound"
	"parley/tenant"
)

const (
	fetchTimeout = 5 * time.Second
	maxFetched   = 256 << 10 // bytes of one answer
	// lateTick is how often those who wait for a fetch are looked through, and lateMargin what is
	// left of their time when they are refused.
	lateTick   = 50 * time.Millisecond
	lateMargin = 100 * time.Millisecond
)

// fly fetches the set of a key beside all decisions, and has those who wait decided on when it is there.
func (c *Callout) fly(k tenant.Key, set *keySet) {
	c.flights.Go(func() {
		ctx, cancel := context.WithTimeout(c.fetch, fetchTimeout)
		defer cancel()
		type result struct {
			keys map[string]verifier
			err  error
		}
		done := make(chan result, 1)
		go func() {
			keys, err := c.fetchKeys(ctx, &k)
			done <- result{keys, err}
		}()
		tick := time.NewTicker(lateTick)
		defer tick.Stop()
		for {
			select {
			case r := <-done:
				c.landed(&k, set, r.keys, r.err)
				return
			case <-tick.C:
				for _, a := range c.keySets.late(set, c.conf.Now().Add(lateMargin-c.conf.Timeout)) {
					c.refuse(a, keysUnavailable(&k, "it has not answered yet"))
				}
			}
		}
	})
}

func (c *Callout) landed(k *tenant.Key, set *keySet, keys map[string]verifier, err error) {
	why, outcome := "", "ok"
	if err != nil {
		why, outcome = failure(err), "failed"
		c.log.Warn("the keys of a tenant were not fetched", "tenant", string(k.Tenant), "key", k.ID, "reason", why)
	}
	c.metrics.fetches.WithLabelValues(outcome).Inc()
	for _, a := range c.keySets.land(set, keys, why, c.conf.Now()) {
		if c.requests.push(pending{msg: a.msg, at: a.at, again: a.again, welcomed: a.welcomed}) {
			c.metrics.drop(dropOverload)
		}
	}
}

// A fetchError says in words for the tenant's admins why there are no keys.
type fetchError string

func (e fetchError) Error() string { return string(e) }

// failure is the reason for the tenant's admins. What a client or a library says in its own words
// may hold anything, so it stays here.
func failure(err error) string {
	var told fetchError
	switch {
	case errors.As(err, &told):
		return string(told)
	case errors.Is(err, outbound.ErrNotPublic):
		return "its address is not public, or not https on port 443 or 8443"
	case errors.Is(err, context.DeadlineExceeded):
		return "it did not answer in time"
	case errors.Is(err, context.Canceled):
		return "this server is stopping"
	}
	return "it can't be reached"
}

// keysUnavailable is the refusal of those whose key can't be had.
func keysUnavailable(k *tenant.Key, why string) *refusal {
	what := "the URL of"
	if k.Kind == tenant.KeyOIDC {
		what = "the issuer of"
	}
	return &refusal{"token_keys_unavailable", fmt.Sprintf("%s the key %s gave no keys: %s; see that it answers", what, k.ID, why)}
}

// fetchKeys fetches the set of a key. Where it is fetched from is the tenant's word, or his
// provider's: nothing that a token says has a part in it.
func (c *Callout) fetchKeys(ctx context.Context, k *tenant.Key) (map[string]verifier, error) {
	select {
	case c.keySets.slots <- struct{}{}:
		defer func() { <-c.keySets.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	address := k.URL
	if k.Kind == tenant.KeyOIDC {
		var err error
		if address, err = c.discover(ctx, k.Issuer); err != nil {
			return nil, err
		}
	}
	body, err := c.get(ctx, address)
	if err != nil {
		return nil, err
	}
	return parseKeySet(body)
}

// discover finds the key set of an issuer (OpenID Connect Discovery section 4).
func (c *Callout) discover(ctx context.Context, issuer string) (string, error) {
	body, err := c.get(ctx, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return "", err
	}
	var config struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	switch err := json.Unmarshal(body, &config); {
	case err != nil:
		return "", fetchError("its configuration is no unambiguous JSON")
	case config.Issuer != issuer:
		return "", fetchError("its configuration is of another issuer")
	case !isURL(config.Keys):
		return "", fetchError("its configuration names no key set")
	}
	return config.Keys, nil
}

func (c *Callout) get(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fetchError("its address can't be read")
	}
	req.Header.Set("Accept", "application/json")
	res, err := c.conf.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fetchError(fmt.Sprintf("it answered the status %d", res.StatusCode))
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxFetched+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxFetched {
		return nil, fetchError("its answer is longer than 256 KiB")
	}
	return body, nil
}
