//go:build !long

package cluster

// How often races are run, and revocations measured; make test/long does more.
const (
	tries       = 50
	revocations = 50
)
