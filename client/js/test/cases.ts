// Runs the shared cases (client/cases/cases.json) against a running Parley. PARLEY_WORLDS is where the
// worlds are made that they happen in, PARLEY_CASES the file, PARLEY_TRANSPORT tcp or ws.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { connect as overWebSocket } from "../src/index.js";
import type { Listener } from "../src/listener.js";
import { type Client, connect as overTCP, type Draft, type Message, type Notice, ParleyError, type Presence, type Room, type Signal, type Status, System } from "../src/node.js";

type Value = any; // the cases are JSON of any form
type Step = Record<string, Value> & { do: string };
interface Case {
  name: string;
  steps: Step[];
}

const patience = 60_000; // bounds each wait; it is no expectation of speed
const webSocket = setting("PARLEY_TRANSPORT") === "ws";
const dial = webSocket ? overWebSocket : overTCP;

function setting(name: string): string {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set: go test ./cmd/parley -run TestSharedCases starts these tests`);
  }
  return value;
}

/** What comes by itself, kept until a step asks for it. */
class Inbox<T> {
  #items: T[] = [];
  #wake = () => {};

  push(item: T) {
    this.#items.push(item);
    this.#wake();
  }

  /** Takes the first that passes, and forgets what came before it. */
  async take(test: (item: T) => boolean): Promise<T> {
    const deadline = Date.now() + patience;
    for (;;) {
      for (let item = this.#items.shift(); item !== undefined; item = this.#items.shift()) {
        if (test(item)) {
          return item;
        }
      }
      assert.ok(Date.now() < deadline, "it did not come in time");
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, 1_000);
      });
    }
  }
}

interface User {
  client: Client;
  rooms: Map<string, Room>;
  notices: Inbox<Notice>;
  statuses: Inbox<Status>;
}

/** A stream that is read ahead, so that waiting for a message can be bounded. */
interface Stream {
  listener: Listener;
  messages: Inbox<Message>;
  end: Promise<unknown>;
}

class Run {
  #world!: { id: string; tenant: string; nats: string; ws: string };
  #vars: Record<string, Value> = {};
  #users = new Map<string, User>();
  #streams = new Map<string, Stream>();
  #signals = new Map<string, Inbox<Signal>>();
  #watches = new Map<string, Inbox<Presence[]>>();
  #tasks = new Map<string, Promise<Value>>();

  async all(steps: Step[]) {
    this.#world = await ask("", {});
    this.#vars.tenant = this.#world.tenant;
    try {
      for (const [i, step] of steps.entries()) {
        try {
          await this.#step(this.#fill(step));
        } catch (e) {
          throw new Error(`step ${i + 1}, ${JSON.stringify(step)}: ${e instanceof Error ? e.stack : e}`);
        }
      }
    } finally {
      await Promise.all([...this.#users.values()].map((u) => u.client.close()));
    }
  }

  /** Puts variables in the place of their names. */
  #fill(v: Value): Value {
    if (typeof v === "string" && v.startsWith("$")) {
      assert.ok(v.slice(1) in this.#vars, `nothing was saved as ${v}`);
      return this.#vars[v.slice(1)];
    }
    if (Array.isArray(v)) {
      return v.map((x) => this.#fill(x));
    }
    if (typeof v === "object" && v !== null) {
      return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, k === "save" ? x : this.#fill(x)]));
    }
    return v;
  }

  async #step(s: Step) {
    if (s.task && s.do !== "await") {
      const task = this.#do(s);
      task.catch(() => {}); // await looks at it
      this.#tasks.set(s.task, task);
      return;
    }
    if (s.error !== undefined) {
      const got = await this.#do(s).then((v) => `no error but ${JSON.stringify(v)}`, codeOf);
      assert.ok([s.error].flat().includes(got), `got ${got}, want error ${s.error}`);
      return;
    }
    const deadline = Date.now() + patience;
    for (;;) {
      const got = await this.#do(s);
      const fault = s.want === undefined ? "" : differs(s.want, got, "");
      if (fault === "") {
        Object.entries(s.save ?? {}).forEach(([name, path]) => { this.#vars[name] = at(got, path as string); });
        return;
      }
      assert.ok(s.eventually && Date.now() < deadline, `${fault}; all of it: ${JSON.stringify(got)}`);
      await new Promise((r) => setTimeout(r, 20));
    }
  }

  #user(s: Step): User {
    const u = this.#users.get(s.as);
    assert.ok(u, `${s.as} is not connected`);
    return u;
  }

  async #room(s: Step): Promise<Room> {
    const u = this.#user(s);
    const room = u.rooms.get(s.room) ?? (await u.client.room(s.room));
    u.rooms.set(room.id, room);
    return room;
  }

  #stream(s: Step): Stream {
    const found = this.#streams.get(s.stream);
    assert.ok(found, `there is no stream ${s.stream}`);
    return found;
  }

  async #do(s: Step): Promise<Value> {
    const op = this.#operations[s.do];
    assert.ok(op, `there is no operation ${s.do}`);
    return op(s);
  }

  #operations: Record<string, (s: Step) => Value> = {
    world: ({ do: _, op, want: __, save: ___, ...args }) => ask(`/${this.#world.id}/${op}`, args),
    connect: (s) => this.#connect(s),
    close: (s) => this.#user(s).client.close(),
    await: (s) => this.#tasks.get(s.task),
    status: (s) => this.#user(s).statuses.take((x) => x.state === s.state),
    notice: (s) => this.#user(s).notices.take((n) => differs(s.want, n, "") === ""),
    stats: (s) => this.#user(s).client.stats,
    stopped: async (s) => {
      const { client, statuses } = this.#user(s);
      if (!client.stopped.aborted) {
        await statuses.take((x) => x.state === "stopped");
      }
      return errorOf(client.stopped.reason);
    },

    call: (s) => this.#user(s).client.call(s.op, s.request),
    service: async (s) => ({ text: new TextDecoder().decode(await this.#user(s).client.service(s.name, s.body)) }),
    answer: async (s) => {
      const text = (b: Uint8Array) => new TextDecoder().decode(b);
      await this.#user(s).client.answer(s.name, (q) => `own ${q.user} ${text(q.body)}`);
    },
    whoami: (s) => this.#user(s).client.whoami(),
    rooms: async (s) => {
      const u = this.#user(s);
      const rooms = await u.client.rooms(s.query);
      rooms.forEach((r) => u.rooms.set(r.id, r));
      return { rooms, ids: rooms.map((r) => r.id) };
    },
    room: (s) => this.#user(s).client.room(s.room),
    join: (s) => this.#user(s).client.join(s.room),
    leave: (s) => this.#user(s).client.leave(s.room),
    members: async (s) => ({ members: await this.#user(s).client.members(s.room) }),
    create: (s) => this.#user(s).client.create(s.room),
    change: (s) => this.#user(s).client.change(s.room, s.change),
    freeze: (s) => this.#user(s).client.freeze(s.room, s.on),
    archive: (s) => this.#user(s).client.archive(s.room, s.on),
    delete_room: (s) => this.#user(s).client.deleteRoom(s.room),
    invite: (s) => this.#user(s).client.invite(s.room, s.user, { role: s.role }),
    kick: (s) => this.#user(s).client.kick(s.room, s.user, s.reason),
    ban: (s) => this.#user(s).client.ban(s.room, s.user, { reason: s.reason }),
    unban: (s) => this.#user(s).client.unban(s.room, s.user),
    role: (s) => this.#user(s).client.setRole(s.room, s.user, s.role),
    mute: (s) => this.#user(s).client.mute(s.room, s.user, { reason: s.reason }),
    unmute: (s) => this.#user(s).client.unmute(s.room, s.user),
    pin: (s) => this.#user(s).client.pin(s.room, s.seq, s.on),
    pins: async (s) => summary(await this.#user(s).client.pins(s.room)),
    report: (s) => this.#user(s).client.report(s.room, s.seq, s.reason),
    notify: (s) => this.#user(s).client.notify(s.room, s.level),
    block: (s) => this.#user(s).client.block(s.user, s.on),
    blocks: async (s) => ({ users: await this.#user(s).client.blocks() }),
    presence: async (s) => ({ users: await this.#user(s).client.presence(s.users ?? s.room) }),
    idle: (s) => this.#user(s).client.setIdle(s.on),
    direct: (s) => this.#user(s).client.direct(s.user),

    post: async (s) => this.#user(s).client.post(await this.#room(s), draft(s.draft), { echo: s.echo }),
    send: async (s) => this.#user(s).client.send(await this.#room(s), draft(s.draft)),
    history: async (s) => {
      const { before, after, thread, limit } = s;
      const { messages, more } = await this.#user(s).client.history(s.room, { before, after, thread, limit });
      return { ...summary(messages), more };
    },
    search: async (s) => {
      const { query, room, limit, after } = s;
      const { found, next } = await this.#user(s).client.search(query, { room, limit, after });
      return { next: next ?? "", texts: found.map((m) => m.text), rooms: found.map((m) => m.room), hits: found.flatMap((m) => m.highlights.filter((p) => p.hit).map((p) => p.text)) };
    },
    read: async (s) => ({ unread: await this.#user(s).client.read(s.room, s.seq) }),
    edit: async (s) => plain(await this.#user(s).client.edit(s.room, s.seq, s.text)),
    delete: async (s) => plain(await this.#user(s).client.delete(s.room, s.seq)),
    react: async (s) => plain(await this.#user(s).client.react(s.room, s.seq, s.emoji, s.on)),
    unread: (s) => this.#user(s).client.unread(s.room),

    listen: async (s) => {
      const listener = this.#user(s).client.listen(await this.#room(s), s.after);
      const messages = new Inbox<Message>();
      const end = (async () => {
        for await (const m of listener) {
          messages.push(m);
        }
      })().then(() => undefined, (e: unknown) => e);
      this.#streams.set(s.stream, { listener, messages, end });
    },
    next: async (s) => {
      const got: Message[] = [];
      while (got.length < s.n) {
        got.push(await this.#stream(s).messages.take((m) => s.events === true || m.sender !== System));
      }
      return summary(got);
    },
    event: async (s) => (await this.#stream(s).messages.take((m) => m.event !== undefined && differs(s.want, m.event, "") === "")).event,
    end: async (s) => errorOf(await this.#stream(s).end),

    typing: async (s) => this.#user(s).client.typing(await this.#room(s), s.on),
    signals: async (s) => {
      const inbox = new Inbox<Signal>();
      this.#signals.set(s.stream, inbox);
      this.#user(s).client.signals(await this.#room(s), (x) => inbox.push(x));
    },
    watch: async (s) => {
      const inbox = new Inbox<Presence[]>();
      this.#watches.set(s.stream, inbox);
      await this.#user(s).client.watchPresence(s.room, (users) => inbox.push(users));
    },
    watched: async (s) => ({ users: await this.#watches.get(s.stream)?.take((users) => differs(s.want, { users }, "") === "") }),
    signal: (s) => this.#signals.get(s.stream)?.take(() => true),
  };

  async #connect(s: Step): Promise<void> {
    const { id, tenant, nats, ws } = this.#world;
    const method = s.password !== undefined || s.creds !== undefined || s.token !== undefined
      ? {}
      : { token: async () => (await ask(`/${id}/token`, { user: s.as })).token };
    const client = await dial({
      servers: webSocket ? ws : nats,
      user: s.as,
      ...method,
      ...(s.token === undefined ? {} : { token: s.token }),
      ...(s.creds === undefined ? {} : { creds: s.creds }),
      ...(s.password === undefined ? {} : { tenant, password: s.password }),
      ...(s.rooms === undefined ? {} : { rooms: s.rooms }),
    });
    const user: User = { client, rooms: new Map(), notices: new Inbox(), statuses: new Inbox() };
    client.on("notice", (n) => user.notices.push(n));
    client.on("status", (x) => user.statuses.push(x));
    this.#users.set(s.device ?? s.as, user);
  }
}

async function ask(path: string, body: object): Promise<Value> {
  const res = await fetch(setting("PARLEY_WORLDS") + path, { method: "POST", body: JSON.stringify(body) });
  const text = await res.text();
  assert.ok(res.ok, text);
  return JSON.parse(text);
}

function draft(d: Value): Draft {
  const { repeat, ...rest } = d;
  return repeat ? { ...rest, text: rest.text.repeat(repeat) } : rest;
}

const codeOf = (e: unknown) => (e instanceof ParleyError ? e.code : String(e));
const errorOf = (e: unknown) => (e instanceof ParleyError ? { code: e.code, message: e.message } : { code: String(e) });

/** A message in the form that the cases speak of. */
const plain = (m: Message) => ({ ...m, edited: m.edited !== undefined, deleted: m.deleted !== undefined });

/** Messages in the form that the cases speak of. Events don't count among texts. */
function summary(all: Message[]): Value {
  const said = all.filter((m) => m.sender !== System);
  return {
    messages: said.map(plain),
    texts: said.map((m) => m.text),
    senders: said.map((m) => m.sender),
    events: all.filter((m) => m.sender === System).map((m) => m.event),
    ordered: all.every((m, i) => i === 0 || m.seq > (all[i - 1]?.seq ?? 0)),
    late: all.filter((m) => m.late).length,
  };
}

function at(v: Value, path: string): Value {
  return path.split(".").reduce((x, key) => x[key], v);
}

/**
 * Says where got is not as wanted, "" where it is: objects may hold more than wanted, lists not; "*" is
 * anything that is there; a list in the place of a plain value holds what it may be.
 */
function differs(want: Value, got: Value, where: string): string {
  const say = () => `${where || "it"}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`;
  if (want === "*") {
    return got === undefined || got === null ? say() : "";
  }
  if (Array.isArray(want) && typeof got === "string") {
    return want.includes(got) ? "" : say();
  }
  if (Array.isArray(want)) {
    return Array.isArray(got) && got.length === want.length ? first(want.keys(), (i) => differs(want[i], got[i], `${where}[${i}]`)) : say();
  }
  if (typeof want === "object" && want !== null) {
    return typeof got === "object" && got !== null ? first(Object.keys(want), (k) => differs(want[k], got[k], `${where}.${k}`)) : say();
  }
  return got === want ? "" : say();
}

function first<T>(all: Iterable<T>, fault: (x: T) => string): string {
  for (const x of all) {
    const f = fault(x);
    if (f !== "") {
      return f;
    }
  }
  return "";
}

describe("shared cases", { concurrency: 4 }, () => {
  for (const c of JSON.parse(readFileSync(setting("PARLEY_CASES"), "utf8")) as Case[]) {
    test(c.name, { timeout: 3 * patience }, () => new Run().all(c.steps));
  }
});
