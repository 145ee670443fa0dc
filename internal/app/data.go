package app

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"parley/tenant"
)

// The files of the data folder that others read.
const (
	// RunInfoFile tells where a running server listens.
	RunInfoFile = "run.json"
	// OperatorTokenFile holds the operator's API token, mode 0600.
	OperatorTokenFile = "operator.token"
	// OperatorLinkFile holds the link by which the first operator signs up in the console, mode 0600.
	// It is there only while there is no operator.
	OperatorLinkFile = "operator.link"
)

// RunInfo is the content of RunInfoFile: URLs, and the id of the process.
type RunInfo struct {
	HTTP    string `json:"http"`
	NATS    string `json:"nats"`
	WS      string `json:"ws"`
	Metrics string `json:"metrics"`
	PID     int    `json:"pid"`
	// TLSCert is the file of the certificate that the ports present, so that programs on
	// this machine know the server whatever name the certificate is for.
	TLSCert string `json:"tls_cert,omitempty"`
}

// ReadRunInfo reads RunInfoFile of a data folder; it is os.ErrNotExist where no server runs.
func ReadRunInfo(data string) (RunInfo, error) {
	var r RunInfo
	b, err := os.ReadFile(filepath.Join(data, RunInfoFile))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("read %s of %s: %w", RunInfoFile, data, err)
	}
	return r, nil
}

// A dataDir is the folder of one server, locked for as long as it runs.
type dataDir struct {
	path string
	lock *os.File
}

// makeData makes the folder. As root it must be open to the user that Postgres
// runs as, so it is 0711: nobody lists it, and what is secret in it is 0600 itself.
func makeData(path string) (*dataDir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, 0o711); err != nil { //nolint:gosec // G301: Postgres as its own user must pass through
		return nil, fmt.Errorf("--data: %w", err)
	}
	return &dataDir{path: path}, nil
}

// openData makes and locks the folder.
func openData(path string) (*dataDir, error) {
	d, err := makeData(path)
	if err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(d.file("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("--data: another parley runs in %s; stop it, or choose another folder", d.path), lock.Close())
	}
	d.lock = lock
	return d, nil
}

func (d *dataDir) file(name string) string { return filepath.Join(d.path, name) }

// close takes run.json away and unlocks the folder.
func (d *dataDir) close() error {
	err := os.Remove(d.file(RunInfoFile))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, d.lock.Close())
}

// write puts a file in place whole or not at all, also where the power is cut.
func (d *dataDir) write(name string, content []byte) error {
	tmp := d.file(name + ".new")
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(tmp, d.file(name))
}

func (d *dataDir) writeRunInfo(r RunInfo) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return d.write(RunInfoFile, append(b, '\n'))
}

// operatorToken reads the operator's token, and makes it at the first start.
func (d *dataDir) operatorToken() (tenant.Secret, error) {
	b, err := os.ReadFile(d.file(OperatorTokenFile))
	if errors.Is(err, os.ErrNotExist) {
		token := "operator_" + rand.Text() + rand.Text()
		return tenant.Secret(token), d.write(OperatorTokenFile, []byte(token+"\n"))
	}
	token := strings.TrimSpace(string(b))
	if err == nil && len(token) < 32 {
		err = fmt.Errorf("%s is too short to be a token; delete the file to have a new one made", d.file(OperatorTokenFile))
	}
	return tenant.Secret(token), err
}
