//go:build long

package cluster

const (
	tries       = 10_000
	revocations = 2_000
)
