//go:build long

package cluster

const tries = 10_000
