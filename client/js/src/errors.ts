// What goes wrong, as one class with a code.

/** Codes of the chat service, and the connection's own: refused, revoked, closed. */
export type Code =
  | "invalid"
  | "unauthorized"
  | "forbidden"
  | "not_found"
  | "conflict"
  | "too_large"
  | "rate_limited"
  | "limit_reached"
  | "unavailable"
  | "internal"
  /** The servers don't admit the user. They give no reason to a client; the tenant's admins can see it. */
  | "refused"
  /** The user was revoked; message holds the reason. The client has stopped for good. */
  | "revoked"
  /** The client was closed. */
  | "closed";

/** An error whose message is a sentence for people. */
export class ParleyError extends Error {
  readonly code: Code;
  /** What is wrong with each field of a request, where code is "invalid". */
  readonly fields: Record<string, string>;
  /** Set where the request was asked more than once: the answer may be about what an earlier attempt did. */
  repeated = false;

  constructor(code: Code, message: string, options: { cause?: unknown; fields?: Record<string, string> } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "ParleyError";
    this.code = code;
    this.fields = options.fields ?? {};
  }

  /** Whether asking the same again may be answered otherwise. */
  get temporary(): boolean {
    return this.code === "unavailable" || this.code === "internal" || this.code === "rate_limited";
  }
}
