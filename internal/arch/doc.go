// Package arch holds no code: its test keeps the layers of docs/ARCHITECTURE.md. A package that
// the test does not know fails it, so that a new one gets its place by decision.
package arch
