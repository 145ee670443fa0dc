package embedpg

import (
	"context"
	"fmt"
	"strings"
)

// settings are the server's arguments. They are given on the command line, where neither an
// old configuration file nor ALTER SYSTEM can change them.
func (s *Server) settings() []string {
	settings := []string{
		// Nobody reaches it but through the socket's folder.
		"listen_addresses=",
		"unix_socket_directories=" + quoteFolder(s.places.socketDir),
		"unix_socket_permissions=0700",
		"port=" + port,
		"max_connections=200",
		"fsync=on",
		"full_page_writes=on",
		"synchronous_commit=on",
		"shared_buffers=128MB",
		"wal_compression=on",
		"max_wal_size=1GB",
		// After a crash, one call instead of an fsync of each of a thousand files, which took a second.
		"recovery_init_sync_method=syncfs",
		// Solid state disks, and queries of a few rows.
		"random_page_cost=1.1",
		"jit=off",
		"max_parallel_workers_per_gather=0",
		// A transaction that somebody forgot keeps vacuum from all that came after it.
		"idle_in_transaction_session_timeout=5min",

		"timezone=UTC",
		"log_timezone=UTC",
		"lc_messages=C",
		"logging_collector=off",
		"log_destination=stderr",
		"log_line_prefix=%m [%p] ",
		"log_min_messages=error",
		"log_checkpoints=off",
		// Failing statements and rows hold messages, hashes and mail addresses: none goes into a log.
		"log_min_error_statement=panic",
		"log_error_verbosity=terse",
		"log_parameter_max_length_on_error=0",
		"log_statement=none",
	}
	if s.volatile {
		settings = append(settings, "fsync=off", "full_page_writes=off")
	}
	args := []string{"-D", s.places.data()}
	for _, kv := range settings {
		args = append(args, "-c", kv)
	}
	return args
}

// quoteFolder writes a folder as an element of a list, where a comma would end it.
func quoteFolder(dir string) string {
	return `"` + strings.ReplaceAll(dir, `"`, `""`) + `"`
}

// initialise makes a cluster with the one role and the one database in an empty folder.
func (s *Server) initialise(ctx context.Context, dir string) error {
	args := []string{
		"-D", dir, "--username=" + role, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8",
		"--data-checksums",
	}
	if s.volatile {
		args = append(args, "--no-sync")
	}
	if err := run(s.command(ctx, s.bin.initdb, args...)); err != nil {
		return fmt.Errorf("running %s: %w", s.bin.initdb, err)
	}
	single := s.command(ctx, s.bin.postgres, "--single", "-D", dir, "postgres")
	single.Stdin = strings.NewReader("CREATE DATABASE " + database + "\n")
	if err := run(single); err != nil {
		return fmt.Errorf("making the database: %w", err)
	}
	return nil
}
