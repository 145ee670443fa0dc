package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"parley/tenant"
)

type tenantUsageCmd struct {
	tenantArg
	Days int `help:"How many days of history." default:"7"`
}

type usageAnswer struct {
	Usage tenant.Usage      `json:"usage"`
	Days  []tenant.UsageDay `json:"days"`
}

func (c *tenantUsageCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	var u usageAnswer
	if err := a.call(ctx, http.MethodGet, path("tenants", c.Tenant, "usage")+"?days="+strconv.Itoa(c.Days), nil, &u); err != nil {
		return err
	}
	return a.show(u, u.print)
}

func (u usageAnswer) print(w io.Writer) {
	rows := [][]string{
		{"connections", number(u.Usage.Connections.Used), number(u.Usage.Connections.Limit)},
		{"users", number(u.Usage.Users.Used), number(u.Usage.Users.Limit)},
		{"rooms", number(u.Usage.Rooms.Used), number(u.Usage.Rooms.Limit)},
	}
	for _, class := range tenant.Classes {
		if use, ok := u.Usage.Storage[class]; ok {
			rows = append(rows, []string{"bytes of " + string(class), strconv.FormatUint(use.Bytes, 10), number(use.Limit)})
		}
	}
	rows = append(rows, []string{"messages kept", number(u.Usage.Messages.Kept), ""}, []string{"messages ever", number(u.Usage.Messages.Stored), ""})
	table(w, "", []string{"what", "used", "limit"}, rows)
	var days [][]string
	for _, d := range u.Days {
		days = append(days, []string{d.Day, number(d.Messages), number(d.Bytes), number(d.Connections), number(d.Users), number(d.Rooms)})
	}
	fmt.Fprintln(w)
	table(w, "No day has been counted yet.", []string{"day", "messages", "bytes", "connections", "users", "rooms"}, days)
}
