// The connection: keeps itself up, and carries requests over reconnections.

import {
  type Authenticator,
  AuthorizationError,
  type ConnectionOptions,
  credsAuthenticator,
  InvalidArgumentError,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  nkeyAuthenticator,
  NoRespondersError,
  PermissionViolationError,
  RequestError,
  UserAuthenticationExpiredError,
} from "@nats-io/nats-core";

import { type Code, ParleyError } from "./errors.js";
import { isObject, isString, type Json, parseObject } from "./json.js";
import { type Notice, parseNotice } from "./notice.js";
import { check, type Options, serversOf } from "./options.js";
import * as subject from "./subject.js";
import { Tokens } from "./token.js";
import { sleep, unless } from "./wait.js";
import { WorkingSet } from "./workingset.js";

/** Makes a NATS connection: wsconnect in browsers, connect of transport-node in node. */
export type Dial = (o: ConnectionOptions) => Promise<NatsConnection>;

/** A change of the connection. "stopped" is the last. */
export interface Status {
  state: "connected" | "reconnecting" | "refused" | "stopped";
  /** Why, for refused and stopped. */
  error?: ParleyError;
}

const connectTimeout = 5_000; // longer than the servers' own of 2 s, or they could not refuse in time
// A first connection that fails within undecided was refused, or met no server; else it is tried again, maxDials
// times in all, up to maxDialPause apart.
const undecided = 1_500;
const maxDials = 10;
const maxDialPause = 2_000;
const minWait = 50; // to twice that passes before a reconnection
const quickAttempts = 20; // with minWait between; then the server is down rather than restarting
const slowWait = 1_000;
const maxRefusedWait = 5_000;
const restartPause = 250; // the least between two forced reconnections: rights notices come in bursts
const kickWait = 1_000; // how long a revoked client waits for the server to close its connection
const callTimeout = 10_000;
const attemptTimeout = 4_000; // the service itself answers within about 2 s, "unavailable" at worst
const repeatPause = 5;

export class Link {
  readonly user: string;
  /** Connections tried so far. It grows before the first message of a new one can come. */
  epoch = 0;
  /** Attempts that reached a server and were admitted, after the first. */
  reconnects = 0;
  junk = 0;
  doubles = 0;
  readonly rooms: WorkingSet;
  readonly onStatus = new Set<(s: Status) => void>();
  readonly onNotice = new Set<(n: Notice) => void>();
  /** Posts that wait for their own message, by id. */
  readonly echoes = new Map<string, (seq: number) => void>();
  /** Sees the permissions violations of what was published. */
  readonly onDenied = new Set<(e: PermissionViolationError) => void>();

  #nc!: NatsConnection;
  #tokens: Tokens | undefined;
  #up = false;
  #life = new AbortController();
  #stretch = new AbortController(); // aborts, and is replaced, at each reconnection
  #attempts = 0; // in a row
  #refusals = 0; // in a row
  #forced = false;
  #restarting = false;
  #restarted = 0; // when
  #asked = ""; // the working set of the last login
  #revoked: ParleyError | undefined;

  private constructor(o: Options) {
    this.user = o.user;
    this.rooms = new WorkingSet(o.rooms);
    this.#tokens = o.token === undefined ? undefined : new Tokens(o.token);
  }

  /** Returns when the user is admitted. */
  static async open(dial: Dial, o: Options): Promise<Link> {
    check(o);
    const link = new Link(o);
    await link.#tokens?.renew();
    try {
      link.#nc = await link.#dial(dial, o);
    } catch (e) {
      throw isRefusal(e)
        ? new ParleyError("refused", `the server refused ${o.user} (authorization violation)`, { cause: e })
        : new ParleyError("unavailable", `no connection to ${serversOf(o).join(", ")}`, { cause: e });
    }
    link.#up = true;
    void link.#watch();
    link.#tokens?.keep(link.life).catch(() => {}); // it ends with the link
    link.#nc.subscribe(subject.notices(o.user), {
      callback: (err, m) => {
        if (!err) {
          link.#notice(m);
        }
      },
    });
    await link.#nc.flush();
    return link;
  }

  get nc(): NatsConnection {
    return this.#nc;
  }

  /** Aborts when the client stops for good; its reason says why. */
  get life(): AbortSignal {
    return this.#life.signal;
  }

  /** Aborts at the next reconnection, and when the client stops. */
  get stretch(): AbortSignal {
    return this.#stretch.signal;
  }

  get up(): boolean {
    return this.#up;
  }

  /**
   * Connects, and tries again where the servers did not decide: they drop who comes in a storm, and it looks like a
   * refusal but for the time that it takes. A decision comes at once.
   */
  async #dial(dial: Dial, o: Options): Promise<NatsConnection> {
    for (let attempt = 1; ; attempt++) {
      const begun = Date.now();
      try {
        return await dial(this.#natsOptions(o));
      } catch (e) {
        if (attempt === maxDials || Date.now() - begun < undecided) {
          throw e;
        }
      }
      await sleep(Math.random() * maxDialPause);
    }
  }

  #natsOptions(o: Options): ConnectionOptions {
    return {
      servers: serversOf(o),
      name: o.name ?? "parley-js",
      timeout: connectTimeout,
      inboxPrefix: subject.inbox(o.user),
      maxReconnectAttempts: -1,
      // nats.js closes for good after the same refusal twice. A refused user may be let in again; one
      // who is revoked is told so.
      ignoreAuthErrorAbort: true,
      pingInterval: 20_000,
      noAsyncTraces: true,
      reconnectDelayHandler: () => 0,
      reconnectToServer: (pool) => (pool[0] ? { server: pool[0], delay: this.#delay() } : null),
      authenticator: this.#authenticator(o),
    };
  }

  /** nats.js asks at each connection, right before it logs in. */
  #authenticator(o: Options): Authenticator {
    const creds = o.creds === undefined ? undefined : credsAuthenticator(new TextEncoder().encode(o.creds));
    const nkey = o.seed === undefined ? undefined : nkeyAuthenticator(new TextEncoder().encode(o.seed));
    const login = o.password === undefined ? {} : { user: `${o.tenant}/${o.user}`, pass: o.password };
    return (nonce) => {
      this.epoch++;
      this.#asked = this.rooms.suffix;
      const token = (this.#tokens?.current ?? "") + this.#asked;
      const all = { ...login, ...creds?.(nonce), ...nkey?.(nonce), ...(token === "" ? {} : { auth_token: token }) };
      return all as ReturnType<Authenticator>; // any mixture is sent as it is
    };
  }

  /** How long to wait before an attempt. */
  #delay(): number {
    const forced = this.#forced;
    this.#forced = false;
    if (this.epoch === 0 || forced) {
      return 0; // the first connection, and one that we ended ourselves
    }
    let wait = minWait;
    if (this.#refusals > 0) {
      wait = Math.min(minWait * 2 ** this.#refusals, maxRefusedWait);
    } else if (this.#attempts > quickAttempts) {
      wait = slowWait;
    }
    this.#attempts++;
    return wait + Math.random() * wait;
  }

  async #watch(): Promise<void> {
    for await (const s of this.#nc.status()) {
      switch (s.type) {
        case "disconnect":
          this.#up = false;
          if (this.#revoked) {
            this.stop(this.#revoked);
          } else {
            this.#tell({ state: "reconnecting" });
          }
          break;
        case "reconnect":
          this.#reconnected();
          break;
        case "error":
          this.#failed(s.error);
          break;
      }
    }
    this.stop(new ParleyError("closed", "the connection was closed"));
  }

  #reconnected() {
    this.#up = true;
    this.#attempts = this.#refusals = 0;
    this.reconnects++;
    const before = this.#stretch;
    this.#stretch = new AbortController();
    before.abort(new CutOff("cut off by a reconnection"));
    this.#tell({ state: "connected" });
    if (this.rooms.suffix !== this.#asked) {
      this.restart(); // it changed while the login was on its way
    }
  }

  #failed(e: Error) {
    if (e instanceof PermissionViolationError) {
      this.onDenied.forEach((fn) => fn(e));
    } else if (e instanceof UserAuthenticationExpiredError) {
      this.#tokens?.spoil(); // the connection has outlived its token, which is no refusal
    } else if (isRefusal(e)) {
      this.#tokens?.spoil();
      if (++this.#refusals === 1) {
        this.#tell({ state: "refused", error: new ParleyError("refused", "the server does not let this user in", { cause: e }) });
      }
    }
  }

  #tell(s: Status) {
    this.onStatus.forEach((fn) => fn(s));
  }

  #notice(m: Msg) {
    const n = parseNotice(m.subject, m.data);
    if (n === undefined) {
      this.junk++;
      return;
    }
    this.onNotice.forEach((fn) => fn(n));
    if (n.what === "rights") {
      this.rooms.add(n.rooms);
      this.restart();
    }
    if (n.what === "revoked" && this.#revoked === undefined) {
      // It stops at the kick that follows, so that the revocation counts this connection among those
      // that it closed; or soon where none follows.
      const why = new ParleyError("revoked", n.reason || "you were revoked");
      this.#revoked = why;
      sleep(kickWait, this.life).then(() => this.stop(why), () => {});
    }
  }

  /** Reconnects, with new rights and the working set as it is now. */
  restart() {
    if (this.#restarting) {
      return;
    }
    this.#restarting = true;
    sleep(Math.max(0, this.#restarted + restartPause - Date.now()), this.life).then(() => {
      this.#restarting = false;
      this.#restarted = Date.now();
      this.#forced = true;
      void this.#nc.reconnect(); // does nothing where one is under way, see #reconnected
    }, () => {});
  }

  /** Ends everything, for the first reason that is given. */
  stop(why: ParleyError) {
    if (this.life.aborted) {
      return;
    }
    this.#up = false;
    this.#life.abort(why);
    this.#stretch.abort(why);
    this.#tell({ state: "stopped", error: why });
    void this.#nc.close();
  }

  /** Resolves when the connection is up. */
  async connected(...signals: (AbortSignal | undefined)[]): Promise<void> {
    while (!this.#up) {
      await this.reconnection(this.stretch, ...signals);
    }
    this.life.throwIfAborted();
  }

  /** Resolves when the stretch that was current is over. */
  async reconnection(stretch: AbortSignal, ...signals: (AbortSignal | undefined)[]): Promise<void> {
    const over = new Promise<void>((resolve) => {
      if (stretch.aborted) {
        resolve();
      }
      stretch.addEventListener("abort", () => resolve(), { once: true });
    });
    await unless(over, this.life, ...signals);
  }

  /** One attempt of a request. It ends at a reconnection too: what was asked on a lost connection is never answered. */
  request(subj: string, data: string | Uint8Array, timeout: number, headers?: MsgHdrs, ...signals: (AbortSignal | undefined)[]): Promise<Msg> {
    const asked = this.#nc.request(subj, data, headers ? { timeout, headers } : { timeout });
    return unless(asked, this.stretch, ...signals);
  }

  /**
   * Asks the chat service for an operation. A reconnection in the middle is no failure: all operations
   * may be repeated.
   */
  async call(op: string, body: object, signal?: AbortSignal): Promise<Json> {
    const raw = JSON.stringify(body);
    const late = AbortSignal.timeout(callTimeout);
    for (let repeated = false; ; repeated = true) {
      try {
        await this.connected(signal, late);
        const m = await this.request(subject.api(this.user, op), raw, attemptTimeout, undefined, signal, late);
        return answerOf(op, m.data);
      } catch (e) {
        this.life.throwIfAborted();
        signal?.throwIfAborted();
        if (late.aborted) {
          throw new ParleyError("unavailable", `no answer to ${op} in time`, { cause: e });
        }
        if (isNoResponders(e)) {
          throw new ParleyError("unavailable", "the chat service is not there", { cause: e });
        }
        if (isTooLarge(e)) {
          throw new ParleyError("too_large", "the request is too large", { cause: e });
        }
        if (e instanceof ParleyError) {
          e.repeated = repeated;
          throw e;
        }
      }
      await sleep(repeatPause, signal); // cut off by a reconnection, or lost: once more
    }
  }

  /** Asks a service once: whether a request that was cut off did something only the service knows. */
  async ask(name: string, tenant: string, body: string | Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
    const subj = subject.service(name, tenant, this.user);
    const late = AbortSignal.timeout(callTimeout);
    try {
      await this.connected(signal, late);
      return (await this.request(subj, body, callTimeout, undefined, signal, late)).data;
    } catch (e) {
      this.life.throwIfAborted();
      signal?.throwIfAborted();
      if (isTooLarge(e)) {
        throw new ParleyError("too_large", "the request is too large", { cause: e });
      }
      const why = isNoResponders(e) ? `service ${name} is not there` : `no answer of service ${name} in time`;
      throw new ParleyError("unavailable", why, { cause: e });
    }
  }
}

/** Says that a request went over a connection that is lost. */
class CutOff extends Error {}

function answerOf(op: string, data: Uint8Array): Json {
  const answer = parseObject(data);
  if (answer === undefined || typeof answer.ok !== "boolean") {
    throw new ParleyError("internal", `the answer to ${op} has another form than the chat service's`);
  }
  if (answer.ok) {
    return answer;
  }
  const code = isString(answer.code) ? (answer.code as Code) : "internal";
  const fields = isObject(answer.fields) ? (answer.fields as Record<string, string>) : {};
  throw new ParleyError(code, isString(answer.message) ? answer.message : code, { fields });
}

/** The server's no to a connection. */
function isRefusal(e: unknown): boolean {
  return e instanceof AuthorizationError || e instanceof UserAuthenticationExpiredError;
}

export function isNoResponders(e: unknown): boolean {
  return e instanceof NoRespondersError || (e instanceof RequestError && e.cause instanceof NoRespondersError);
}

/** The server's no to a publish or a subscription. */
export function violationOf(e: unknown): PermissionViolationError | undefined {
  const cause = e instanceof RequestError ? e.cause : e;
  return cause instanceof PermissionViolationError ? cause : undefined;
}

/** What is larger than the server takes is not sent. */
export function isTooLarge(e: unknown): boolean {
  return e instanceof InvalidArgumentError && e.message.includes("max_payload");
}
