//go:build long

package main

const stormSize = 2000
