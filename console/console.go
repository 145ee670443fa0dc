// Package console is the HTTP API and the web console. It finds out who asks, what for and whether he
// may see it, refuses what is malformed or too large, and puts answers into their
// form; every decision about tenants is the service's. It must not open keys, sign,
// talk to NATS, or touch any table but its own of idempotent answers.
package console

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"parley/tenant"
)

// Service is what the console asks of the domain, resource by resource.
type Service interface {
	Actors
	Tenants
	Users
	Credentials
	Revocations
	Keys
	Rooms
	Members
	Shares
	Watch
	Insight
	Holds
}

// Config of the console. All fields but Web are required.
type Config struct {
	Service       Service
	Messages      Messages
	Platform      Platform
	OperatorToken tenant.Secret
	DB            *pgxpool.Pool // holds the table idempotency
	Log           *slog.Logger
	Metrics       prometheus.Registerer
	Web           *WebConfig // nil: the API alone
}

func (c Config) check() error {
	var faults []error
	need := func(ok bool, field string) {
		if !ok {
			faults = append(faults, errors.New("console: Config needs "+field))
		}
	}
	need(c.Service != nil, "Service")
	need(c.Messages != nil, "Messages")
	need(c.Platform != nil, "Platform")
	need(c.OperatorToken != "", "OperatorToken")
	need(c.DB != nil, "DB")
	need(c.Log != nil, "Log")
	need(c.Metrics != nil, "Metrics")
	return errors.Join(faults...)
}

type console struct {
	service  Service
	messages Messages
	platform Platform
	operator [sha256.Size]byte // of the operator's token
	answers  answers
	log      *slog.Logger
	metrics  *metrics
	api      huma.API
	mux      *http.ServeMux
	visitor  visitor // nil: there are no pages to log in on
}

// New returns the handler of the API under /v1 and of the web console elsewhere. It has no
// goroutines of its own.
func New(c Config) (http.Handler, error) {
	api, err := newConsole(c)
	if err != nil || c.Web == nil {
		return api, err
	}
	pages, err := newWeb(api, *c.Web)
	if err != nil {
		return nil, err
	}
	return beside(api, pages), nil
}

// beside serves the API under /v1, and the pages elsewhere.
func beside(api *console, pages *web) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, v1+"/") {
			api.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	})
}

func newConsole(cfg Config) (*console, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	m, err := newMetrics(cfg.Metrics)
	if err != nil {
		return nil, err
	}
	c := &console{
		service:  cfg.Service,
		messages: cfg.Messages,
		platform: cfg.Platform,
		operator: sha256.Sum256([]byte(cfg.OperatorToken.Reveal())),
		answers:  answers{cfg.DB},
		log:      cfg.Log,
		metrics:  m,
		mux:      http.NewServeMux(),
	}
	c.api = humago.New(c.mux, apiConfig())
	// The order is the contract's: the key, then what he may see, then the body, then the rules.
	c.api.UseMiddleware(c.bound, c.authenticate, c.locate, c.readBody, c.once, c.strict)
	c.routes(c.api)
	document, err := openAPI(c.api)
	if err != nil {
		return nil, err
	}
	c.mux.Handle("GET "+openAPIPath, document)
	return c, nil
}

// NewServer returns a server for the handler, with the limits that keep a slow or
// hostile client from holding connections. The caller listens, serves and shuts it down.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      bodyTime + runTime + 20*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		// The server's own answer to OPTIONS * lacks the security headers.
		DisableGeneralOptionsHandler: true,
	}
}

// Insight is what pages and checks show beside the API's lists.
type Insight interface {
	Summary(ctx context.Context, a tenant.Actor, t tenant.TenantID) (tenant.Summary, error)
	Backlog(ctx context.Context, a tenant.Actor) (tenant.Backlog, error)
	RoomsOf(ctx context.Context, a tenant.Actor, t tenant.TenantID, u tenant.UserID, p tenant.Page) ([]tenant.UserRoom, error)
}
