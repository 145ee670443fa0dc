//go:build !long

package main

// How much is posted while the program is killed, and how long some stay away from what they posted.
const (
	crashPosts = 1000
	crashUsers = 4
	crashRooms = 2
	kills      = 5
	absence    = 0
)
