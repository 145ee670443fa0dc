package keyring

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"parley/tenant"
)

// EnvMasterKey is the variable that may hold the master key in place of a file.
const EnvMasterKey = "PARLEY_MASTER_KEY"

const masterForm = "32 bytes in base64 (make one with: openssl rand -base64 32)"

// Config says where the master key is.
type Config struct {
	// Key is the content of PARLEY_MASTER_KEY. Where it is empty, File is read.
	Key tenant.Secret
	// File holds the master key: 32 bytes in base64 and a newline, readable by its owner only.
	// It is made where it is missing, unless Sealed.
	File string
	// Sealed: keys exist that were sealed before, so that a new master key could not open them.
	Sealed bool
}

// Open reads the master key, or makes it at the first start.
func Open(c Config) (*Keyring, error) {
	text, err := c.read()
	if err != nil {
		return nil, err
	}
	master, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(master) != chacha20poly1305.KeySize {
		return nil, fmt.Errorf("the master key in %s is malformed: it must be %s", c.place(), masterForm)
	}
	defer clear(master)
	return newKeyring(master)
}

func (c Config) place() string {
	if c.Key != "" {
		return EnvMasterKey
	}
	return c.File
}

func (c Config) read() (string, error) {
	switch {
	case c.Key != "":
		return c.Key.Reveal(), nil
	case c.File == "":
		return "", errors.New("there is no master key: name a file or set " + EnvMasterKey)
	}
	text, err := readMaster(c.File)
	if !errors.Is(err, fs.ErrNotExist) {
		return text, err
	}
	if c.Sealed {
		return "", fmt.Errorf("the master key file %s is missing, but the database holds keys that were sealed with it: "+
			"put the file back, or set %s; without it no account can be signed for", c.File, EnvMasterKey)
	}
	if err := makeMaster(c.File); err != nil {
		return "", fmt.Errorf("make master key file %s: %w", c.File, err)
	}
	return readMaster(c.File)
}

func readMaster(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("read master key: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("the master key %s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return "", fmt.Errorf("the master key file %s has mode %04o, so that others may read it: run chmod 600 %s", path, mode, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read master key: %w", err)
	}
	return string(text), nil
}

// makeMaster links a finished file into place, so that of several starters one wins
// and none ever reads half a key.
func makeMaster(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".master-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = fmt.Fprintln(f, base64.StdEncoding.EncodeToString(newSeed()))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the new name survive a power cut: keys sealed under a lost master key are lost.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
