package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"parley/tenant"
)

const (
	tenantID = "bench"
	roomID   = "town"
	users    = 64
	// spare is more than anybody here does: what is measured must not be a limit.
	spare = 100_000
)

// roomy are a tenant's limits that nobody here meets.
var roomy = map[string]int64{
	"messages_per_second": spare, "storage_bytes": 1 << 32, "rooms": spare, "connections": spare,
}

func userID(i int) tenant.UserID { return tenant.UserID(fmt.Sprintf("u%03d", i)) }

// api calls Parley over HTTP as the operator.
type api struct {
	url, token string
	client     *http.Client
}

func newAPI(url, token string) *api {
	return &api{url, token, &http.Client{Timeout: 30 * time.Second}}
}

// call sends body as JSON and decodes the answer into v: nil ignores it, a *[]byte takes it as it is.
func (a *api) call(ctx context.Context, method, path string, body, v any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	if body == nil {
		text = nil
	}
	req, err := http.NewRequestWithContext(ctx, method, a.url+"/v1/tenants"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := a.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return &statusError{method, path, res.StatusCode, answer}
	}
	switch v := v.(type) {
	case nil:
		return nil
	case *[]byte:
		*v = answer
		return nil
	}
	return json.Unmarshal(answer, v)
}

type statusError struct {
	method, path string
	status       int
	answer       []byte
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s %s: %d %s", e.method, e.path, e.status, e.answer)
}

// tenantOf is how the tenant's users prove who they are, by their index.
type tenantOf struct{ tokens, creds []string }

// furnish makes the tenant, its users with a token and credentials each, and an open room.
func (a *api) furnish(ctx context.Context) (tenantOf, error) {
	made := tenantOf{make([]string, users), make([]string, users)}
	err := a.call(ctx, http.MethodPost, "", map[string]any{"id": tenantID, "limits": roomy}, nil)
	if err != nil {
		return made, err
	}
	if err := a.call(ctx, http.MethodPost, "/"+tenantID+"/rooms", map[string]string{"id": roomID, "kind": "open"}, nil); err != nil {
		return made, err
	}
	return made, parallel(users, func(i int) (err error) {
		if made.tokens[i], err = a.user(ctx, tenantID, userID(i)); err != nil {
			return err
		}
		var creds []byte
		if err := a.call(ctx, http.MethodPost, userPath(tenantID, userID(i))+"/creds", nil, &creds); err != nil {
			return err
		}
		made.creds[i] = string(creds)
		return nil
	})
}

func userPath(of tenant.TenantID, u tenant.UserID) string {
	return "/" + string(of) + "/users/" + string(u)
}

// user makes a user of a tenant and returns a token of an hour.
func (a *api) user(ctx context.Context, of tenant.TenantID, u tenant.UserID) (string, error) {
	if err := a.call(ctx, http.MethodPut, userPath(of, u), struct{}{}, nil); err != nil {
		return "", err
	}
	var minted struct{ Token string }
	err := a.call(ctx, http.MethodPost, userPath(of, u)+"/tokens", map[string]int{"ttl_seconds": 3600}, &minted)
	return minted.Token, err
}

// projected returns when everything that was acknowledged in a room, <tenant>/rooms/<room>, can be read: a
// read waits for it for 2 s, then says that it is unavailable.
func (a *api) projected(ctx context.Context, room string) error {
	for {
		err := a.call(ctx, http.MethodGet, "/"+room+"/messages?limit=1", nil, nil)
		var refused *statusError
		if !errors.As(err, &refused) || refused.status != http.StatusServiceUnavailable {
			return err
		}
	}
}

// parallel calls fn for 0 to n-1, some at once, and returns the first error.
func parallel(n int, fn func(i int) error) error {
	const atOnce = 8
	next := make(chan int)
	failed := make(chan error, n)
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for i := range next {
				if err := fn(i); err != nil {
					failed <- err
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	close(failed)
	return <-failed
}
