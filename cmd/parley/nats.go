package main

import (
	"context"
	"fmt"
	"log/slog"

	"parley/internal/app"
)

type natsCmd struct {
	Config natsConfigCmd `cmd:"" help:"Print the configuration of one server. It needs the database and the master key, and no server that runs."`
}

// natsConfigCmd works without a server: there is none before its cluster.
type natsConfigCmd struct {
	Data          string   `help:"Data folder, for the master key." env:"PARLEY_DATA" default:"${data}" placeholder:"DIR"`
	MasterKeyFile string   `help:"File of the key that seals all others; master.key in the data folder when not given." env:"PARLEY_MASTER_KEY_FILE" placeholder:"FILE"`
	DatabaseURL   string   `help:"Postgres server that all share." env:"PARLEY_DATABASE_URL" placeholder:"URL" required:""`
	Name          string   `help:"Name of the server, as n1; clients can see it." placeholder:"NAME" required:""`
	Store         string   `help:"Folder of the server's accounts and streams." default:"/var/lib/nats" placeholder:"DIR"`
	NATS          string   `name:"nats" help:"Address for clients." default:"0.0.0.0:4222" placeholder:"ADDR"`
	WS            string   `name:"ws" help:"Address for clients over WebSocket." default:"0.0.0.0:8443" placeholder:"ADDR"`
	Cluster       string   `help:"Address for the other servers." default:"0.0.0.0:6222" placeholder:"ADDR"`
	Routes        []string `name:"route" help:"Another server's --cluster, as nats://n2.example.com:6222; one for each." placeholder:"URL"`
	TLSCert       string   `name:"tls-cert" help:"Certificate of both client ports, on the server's machine, PEM." placeholder:"FILE"`
	TLSKey        string   `name:"tls-key" help:"Its key." placeholder:"FILE"`
	TLSClientCA   string   `name:"tls-client-ca" help:"CAs of the client certificates that the NATS port demands." placeholder:"FILE"`
	RouteCert     string   `help:"Certificate by which the servers know each other, PEM; needed between machines." placeholder:"FILE"`
	RouteKey      string   `help:"Its key." placeholder:"FILE"`
	RouteCA       string   `name:"route-ca" help:"The CA of all of them." placeholder:"FILE"`
}

func (c *natsConfigCmd) Run(ctx context.Context, std streams) error {
	text, err := app.ClusterFile(ctx, app.Config{
		Data: c.Data, MasterKeyFile: c.MasterKeyFile, DatabaseURL: c.DatabaseURL, Logger: slog.New(slog.NewTextHandler(std.err, nil)),
	}, app.ServerFile{
		Name: c.Name, Store: c.Store, NATS: c.NATS, WS: c.WS, Cluster: c.Cluster, Routes: c.Routes,
		TLS:      app.TLSFiles{Cert: c.TLSCert, Key: c.TLSKey, CA: c.TLSClientCA},
		RouteTLS: app.TLSFiles{Cert: c.RouteCert, Key: c.RouteKey, CA: c.RouteCA},
	})
	if err == nil {
		_, err = fmt.Fprint(std.out, text)
	}
	return err
}
