//go:build !long

package cluster

// tries is how often a race is run; make test/long does more.
const tries = 50
