package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

const (
	tokenTimeout  = 10 * time.Second // of one call of Options.Token
	tokenRetryMin = 500 * time.Millisecond
	tokenRetryMax = 30 * time.Second
)

// tokens hold the token that the next connection carries. nats.go asks for it while
// it holds its lock, so it must be there: keepToken renews it before it runs out.
type tokens struct {
	fetch func(context.Context) (string, error) // nil: the user has another method

	mu    sync.Mutex
	token string
	life  time.Duration // left of it when it came; 0: it doesn't say

	spoilt chan struct{} // holds one when the server would not take it
}

func newTokens(fetch func(context.Context) (string, error)) *tokens {
	return &tokens{fetch: fetch, spoilt: make(chan struct{}, 1)}
}

func (t *tokens) current() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.token
}

// spoil has the token renewed.
func (t *tokens) spoil() { poke(t.spoilt) }

func (t *tokens) first(ctx context.Context) error {
	if t.fetch == nil {
		return nil
	}
	return t.renew(ctx)
}

func (t *tokens) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	token, err := t.fetch(ctx)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.token, t.life = token, lifeOf(token, time.Now())
	return nil
}

// renewIn is when to renew a token that nobody refused: after about four fifths of its life.
func (t *tokens) renewIn() <-chan time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.life <= 0 {
		return nil
	}
	d := t.life * 3 / 4
	return time.After(d + rand.N(d/10+1)) //nolint:gosec // G404: jitter, no secret
}

// lifeOf reads the exp of a JSON Web Token, which only its verifier must distrust; 0 if there is none.
func lifeOf(token string, now time.Time) time.Duration {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return 0
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return 0
	}
	var claims struct {
		Exp float64 `json:"exp"`
	}
	if json.Unmarshal(raw, &claims) != nil || claims.Exp <= 0 || claims.Exp > 1<<40 {
		return 0
	}
	return max(0, time.Unix(int64(claims.Exp), 0).Sub(now))
}

// keepToken is the one goroutine that renews the token, so that there is never more than one call at a time.
func (c *Client) keepToken() {
	if c.tokens.fetch == nil {
		return
	}
	for {
		refused := false
		select {
		case <-c.life.Done():
			return
		case <-c.tokens.renewIn():
		case <-c.tokens.spoilt:
			refused = true
		}
		if !c.renewToken() {
			return
		}
		// A refused connection sits in its backoff: the new token may end that. A pause
		// comes first, or a server that refuses every token would be asked in a loop.
		if refused && !c.nc.IsConnected() && c.refusals.Load() == 1 {
			c.restart()
		}
	}
}

// renewToken tries until it has a token; false when the client stopped.
func (c *Client) renewToken() bool {
	for pause := tokenRetryMin; ; pause = min(2*pause, tokenRetryMax) {
		err := c.tokens.renew(c.life)
		if err == nil {
			return true
		}
		c.log.Warn("token not renewed", "user", c.user, "error", err)
		if !wait(c.life, pause+rand.N(pause/2)) { //nolint:gosec // G404: jitter, no secret
			return false
		}
	}
}
