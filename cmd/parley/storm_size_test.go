//go:build !long

package main

// stormSize is how many clients come at once.
const stormSize = 500
