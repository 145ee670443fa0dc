//go:build long

package main

import "time"

const (
	crashPosts = 10_000
	crashUsers = 20
	crashRooms = 10
	kills      = 20
	absence    = 10 * time.Minute // far beyond the two minutes for which a stream drops doubles
)
