package client

import "parley/tenant"

// The stream's error codes that a retry does not mend.
const (
	errMaxBytes        = 10077 // maximum bytes or messages exceeded, under discard new
	errMessageTooLarge = 10054
)

// parseAck reads the stream's acknowledgement: its errors stand in the JSON.
func parseAck(raw []byte) (Ack, error) {
	var a struct {
		Seq       uint64 `json:"seq"`
		Duplicate bool   `json:"duplicate"`
		Error     *struct {
			Code        int    `json:"code"`
			ErrCode     int    `json:"err_code"`
			Description string `json:"description"`
		} `json:"error"`
	}
	err := decodeObject(raw, &a)
	switch {
	case err == nil && a.Error == nil && a.Seq > 0:
		// A duplicate is our own earlier attempt: nobody else can know its id before that was stored.
		return Ack{Seq: a.Seq, Duplicate: a.Duplicate}, nil
	case err != nil || a.Error == nil:
		return Ack{}, newError(tenant.CodeInternal, err, "the acknowledgement has another form than the stream's")
	case a.Error.ErrCode == errMaxBytes:
		return Ack{}, newError(tenant.CodeLimitReached, nil, "the tenant's storage is full: %s", a.Error.Description)
	case a.Error.ErrCode == errMessageTooLarge:
		return Ack{}, newError(tenant.CodeTooLarge, nil, "the message is too large: %s", a.Error.Description)
	case a.Error.Code >= 500:
		return Ack{}, newError(tenant.CodeUnavailable, nil, "the stream can't store it now: %s", a.Error.Description)
	}
	return Ack{}, newError(tenant.CodeInvalid, nil, "the stream refused the message: %s", a.Error.Description)
}
