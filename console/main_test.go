package console

import (
	"testing"

	"parley/internal/pgtest"
	"parley/tenant"
)

// The domain as it is has all that the console asks of it.
var _ Service = (*tenant.Service)(nil)

func TestMain(m *testing.M) { pgtest.Main(m) }
