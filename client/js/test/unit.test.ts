// The parts that need no server.

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";

import { AuthorizationError, headers, type Msg, type NatsConnection } from "@nats-io/nats-core";

import { ParleyError } from "../src/errors.js";
import { type Dial, Link } from "../src/link.js";
import { Merge } from "../src/merge.js";
import { parseLive, parseStored } from "../src/message.js";
import { CatchUp, type Missed } from "../src/missed.js";
import { type Notice, parseNotice } from "../src/notice.js";
import { check, type Options } from "../src/options.js";
import { newId, parseAck } from "../src/post.js";
import { parseSignal } from "../src/signal.js";
import { directId, isPlace, type Place, validId, validRoomId } from "../src/subject.js";
import { lifeOf } from "../src/token.js";
import { watch } from "../src/watch.js";
import { WorkingSet } from "../src/workingset.js";

const bytes = (s: string) => new TextEncoder().encode(s);
const codeOf = (fn: () => unknown) => {
  try {
    fn();
    return "";
  } catch (e) {
    return e instanceof ParleyError ? e.code : String(e);
  }
};

/** A random number below n, the same in each run. */
function dice(seed: number): (n: number) => number {
  return (n) => (seed = (seed * 48271) % 2147483647) % n;
}

test("a merge accepts each sequence once, and calls late what a greater one went before", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const roll = dice(seed);
    const after = roll(20);
    const m = new Merge(after);
    const seen = new Set<number>();
    let last = after;
    for (let i = 0; i < 100; i++) {
      [() => m.broken(), () => m.mended()][roll(10)]?.();
      const seq = 1 + roll(60);
      const want = seq > after && !seen.has(seq);
      assert.deepEqual(m.accept({ seq, sender: "alice" }), { fresh: want, late: want && seq < last }, `seed ${seed}, sequence ${seq}`);
      seen.add(seq);
      last = Math.max(last, seq);
    }
  }
});

test("a merge knows a post by its id, however often it is stored", () => {
  const m = new Merge(0);
  const id = "0123456789abcdef";
  const fresh = [
    { seq: 1, sender: "alice", id },
    { seq: 2, sender: "alice", id },
    { seq: 3, sender: "bob", id },
    { seq: 4, sender: "alice", id: "1" },
    { seq: 5, sender: "alice", id: "1" },
    { seq: 6, sender: "alice" },
    { seq: 7, sender: "alice" },
  ].filter((x) => m.accept(x).fresh);
  assert.deepEqual(fresh.map((x) => x.seq), [1, 3, 4, 5, 6, 7]);
});

test("a merge is bounded", () => {
  const m = new Merge(0);
  for (let seq = 1; seq <= 200_000; seq++) {
    m.accept({ seq, sender: "alice" });
  }
  assert.equal(m.cursor, 0);
  m.mended();
  assert.equal(m.cursor, 200_000);
  assert.equal(m.accept({ seq: 1, sender: "alice" }).fresh, false);
});

test("the life of a token", () => {
  const now = 1_800_000_000_000;
  const token = (claims: string) => `e30.${Buffer.from(claims).toString("base64url")}.sig`;
  const cases: [string, number][] = [
    ["opaque", 0], ["a.b.c", 0], [token("{}"), 0], [token('{"exp":"soon"}'), 0], [token('{"exp":1e300}'), 0],
    [token('{"exp":1800000060}'), 60_000], [token('{"exp":1800000060.5}'), 60_000], [token('{"exp":1}'), 0],
    [token('{"exp":1800000060'), 0], [token('{"name":"ÄÖ?>","exp":1800000060}'), 60_000],
  ];
  for (const [t, want] of cases) {
    assert.equal(lifeOf(t, now), want, t);
  }
});

test("acknowledgements", () => {
  assert.deepEqual(parseAck(bytes('{"stream":"s","seq":5}')), { seq: 5, duplicate: false });
  assert.deepEqual(parseAck(bytes('{"seq":5,"duplicate":true}')), { seq: 5, duplicate: true });
  for (const [text, code] of [
    ['{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"}}', "limit_reached"],
    ['{"error":{"code":400,"err_code":10054,"description":"message size"}}', "too_large"],
    ['{"error":{"code":503,"err_code":10008,"description":"unavailable"}}', "unavailable"],
    ['{"error":{"code":400,"err_code":10111,"description":"rollup not permitted"}}', "invalid"],
    ['{"seq":0}', "internal"], ["{}", "internal"], ["null", "internal"], ["", "internal"],
    ['{"seq":5} {"seq":6}', "internal"], ['{"seq":-1}', "internal"], ['{"seq":1.5}', "internal"],
  ] as const) {
    assert.equal(codeOf(() => parseAck(bytes(text))), code, text);
  }
});

const lobby: Place = { id: "lobby", kind: "open", class: "std" };
const dm: Place = { id: "alice.bob", kind: "direct", class: "std" };

function msg(subject: string, body: string | Uint8Array, change: Record<string, string[]> = {}): Msg {
  const h = headers();
  const all: Record<string, string[]> = {
    "Nats-Stream": ["std"], "Nats-Subject": ["t.A.std.open.lobby.bob"], "Nats-Sequence": ["7"],
    "Nats-Time-Stamp": ["2026-11-22T10:00:00.123456789Z"], ...change,
  };
  Object.entries(all).forEach(([k, vs]) => vs.forEach((v) => h.append(k, v)));
  return { subject, data: typeof body === "string" ? bytes(body) : body, headers: h } as unknown as Msg;
}

test("a live message is believed with the server's headers once each, and no other", () => {
  const subject = "live.std.open.lobby.bob";
  const text = '{"text":"hi"}';
  const good = parseLive(lobby, msg(subject, text, { "Nats-Msg-Id": ["x"] }));
  assert.deepEqual(good, { seq: 7, sender: "bob", time: new Date("2026-11-22T10:00:00.123Z"), text: "hi", id: "x" });
  assert.equal(parseLive(lobby, msg("live.std.open.lobby._", '{"event":"joined","user":"bob"}'))?.event?.user, "bob");
  assert.equal(parseLive(dm, msg("live.std.direct.alice.bob.bob", text))?.sender, "bob");
  const junk: [string, Msg][] = [
    ["no headers", { subject, data: bytes(text) } as unknown as Msg],
    ...["Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp"].flatMap((k): [string, Msg][] => [
      [`without ${k}`, msg(subject, text, { [k]: [] })],
      [`two of ${k}`, msg(subject, text, { [k]: ["7", "7"] })],
      [`empty ${k}`, msg(subject, text, { [k]: [""] })],
    ]),
    ["negative sequence", msg(subject, text, { "Nats-Sequence": ["-1"] })],
    ["sequence 0", msg(subject, text, { "Nats-Sequence": ["0"] })],
    ["no time", msg(subject, text, { "Nats-Time-Stamp": ["yesterday"] })],
    ["sender", msg("live.std.open.lobby.Bob", text)],
    ["other room", msg("live.std.open.town.bob", text)],
    ["third in a direct room", msg("live.std.direct.alice.bob.mallory", text)],
    ["empty", msg(subject, "")],
    ["null", msg(subject, "null")],
    ["list", msg(subject, "[]")],
    ["number as text", msg(subject, '{"text":5}')],
    ["trailing", msg(subject, '{"text":"a"} {}')],
    ["no UTF-8", msg(subject, new Uint8Array([...bytes('{"text":"'), 0xff, ...bytes('"}')]))],
    ["says nothing", msg(subject, '{"text":""}')],
    ["script", msg(subject, '{"attachments":[{"url":"javascript:alert(1)"}]}')],
    ["no event", msg("live.std.open.lobby._", text)],
  ];
  for (const [what, m] of junk) {
    assert.equal(parseLive(lobby, m) ?? parseLive(dm, m), undefined, what);
  }
});

test("a message of a shared room says whose it is", () => {
  const account = (c: string) => "A" + c.repeat(55);
  const hall: Place = {
    id: "rhall", kind: "shared", class: "std", address: "rhall", tenant: "beta", host: "acme",
    tenants: { [account("A")]: "acme", [account("B")]: "beta", [account("C")]: "gamma" },
  };
  const text = '{"text":"hi","mentions":["zed","alice@acme","zed@beta"]}';
  const joined = '{"event":"joined","user":"zed@beta","by":"alice"}';
  const parse = (from: string, body: string) => parseLive(hall, msg(`live.shared.rhall.${from}`, body));
  const own = parse(`${account("B")}.zed`, text);
  assert.deepEqual([own?.sender, own?.mentions], ["zed", ["zed", "alice@acme", "zed"]]);
  const theirs = parse(`${account("A")}.zed`, text);
  assert.deepEqual([theirs?.sender, theirs?.mentions], ["zed@acme", ["zed@acme", "alice@acme", "zed"]]);
  assert.equal(parse(`${account("C")}.zed`, text)?.sender, "zed@gamma");
  assert.deepEqual(parse(`${account("A")}._`, joined)?.event, { event: "joined", user: "zed", by: "alice@acme" });
  for (const junk of [`${account("B")}._`, `${account("D")}.zed`, "acme.zed", `${account("A")}.zed.x`, `${account("A")}.Zed`]) {
    assert.equal(parse(junk, junk.endsWith("_") ? joined : text), undefined, junk);
  }
  for (const spoilt of [{ host: "A.b" }, { address: "*" }, { tenants: { acme: "acme" } }, { tenant: undefined }]) {
    assert.equal(isPlace({ ...hall, ...spoilt }), false, JSON.stringify(spoilt));
  }
  assert.equal(isPlace(hall), true);
});

test("history", () => {
  const m = parseStored({ seq: 5, n: 2, sender: "bob", time: "2026-11-22T10:00:00Z", text: "hi", edited: "2026-11-22T10:01:00Z" });
  assert.equal(m?.n, 2);
  assert.ok(m?.edited instanceof Date);
  assert.equal(parseStored({ seq: "5" }), undefined);
});

test("those who come back at once ask together, and each gets his own", async () => {
  const asked: string[][] = [];
  const catchUp = new CatchUp(async ({ rooms }) => {
    asked.push(rooms.map((r) => r.room));
    if (rooms.some((r) => r.room === "down")) {
      throw new ParleyError("unavailable", "later");
    }
    return {
      rooms: rooms.map(({ room, after }) => room === "secret"
        ? { room, code: "not_found", message: "no such room" }
        : { room, messages: [{ seq: after + 1, sender: "bob", time: "2026-11-22T10:00:00Z", text: room }], more: false }),
    };
  });
  const told = (p: Promise<Missed>) => p.then((m) => `${m.messages[0]?.text} ${m.messages[0]?.seq}`, (e: unknown) => (e as ParleyError).code);
  const first = [catchUp.read("a", 1), catchUp.read("b", 2), catchUp.read("secret", 3), catchUp.read("a", 7)].map(told);
  assert.deepEqual(await Promise.all(first), ["a 2", "b 3", "not_found", "a 8"]);
  assert.deepEqual(asked, [["a", "b", "secret"], ["a"]], "a room is once in each");
  assert.deepEqual(await Promise.all([catchUp.read("down", 1), catchUp.read("c", 1)].map(told)), ["unavailable", "unavailable"]);
  assert.equal(await told(catchUp.read("c", 1)), "c 2");
  const many = Array.from({ length: 51 }, (_, i) => catchUp.read(`r${i}`, i));
  assert.equal((await Promise.all(many)).length, 51);
  assert.deepEqual(asked.slice(-2).map((rooms) => rooms.length), [50, 1]);
});

test("notices", () => {
  const parse = (what: string, body: string) => parseNotice(`live.user.alice.${what}`, bytes(body));
  assert.deepEqual(parse("revoked", '{"reason":"x"}'), { what: "revoked", reason: "x" });
  assert.deepEqual(parse("unread", '{"room":"a","unread":2,"last":9,"new":1}'), { what: "unread", room: "a", unread: 2, last: 9, new: 1 });
  for (const [what, body] of [
    ["revoked", "{}"], ["revoked", '{"stream":"std","seq":9}'], ["revoked", '{"ok":true,"reason":"x"}'], ["revoked", "null"],
    ["revoked", '{"reason":7}'], ["revoked", '{"reason":"x"}{}'], ["rights", '{"stream":"std","rooms":[]}'],
    ["refused", '{"seq":9}'], ["unheard-of", "{}"], ["toString", "{}"],
  ] as const) {
    assert.equal(parse(what, body), undefined, `${what} ${body}`);
  }
});

test("signals", () => {
  const parse = (subject: string, body: string) => parseSignal(lobby, { subject, data: bytes(body) } as unknown as Msg);
  assert.deepEqual(parse("sig.std.open.lobby.bob", '{"typing":true}'), { user: "bob", typing: true });
  for (const body of ['{"ok":true}', '{"typing":true,"seq":1}', '{"typing":"yes"}', "{}", "null", '{"typing":true} x']) {
    assert.equal(parse("sig.std.open.lobby.bob", body), undefined, body);
  }
  assert.equal(parse("sig.std.open.lobby._", '{"typing":true}'), undefined);
});

test("ids", () => {
  for (const [id, want] of [["bob", true], ["a_b-c", true], ["", false], ["Bob", false], ["a.b", false], ["open", false], ["-a", false], ["a".repeat(65), false]] as const) {
    assert.equal(validId(id), want, id);
  }
  assert.deepEqual(["a.b", "b.a", "a.a", "a.b.c"].map(validRoomId), [true, false, false, false]);
  assert.equal(directId("bob", "alice"), "alice.bob");
  assert.equal(codeOf(() => directId("bob", "bob")), "invalid");
  assert.equal(isPlace({ id: "a.b", kind: "open", class: "std" }), false);
  assert.match(newId(), /^[0-9a-f]{32}$/);
  assert.notEqual(newId(), newId());
});

test("options report all faults at once", () => {
  const bad = { servers: "nats://u:p@localhost", user: "Bob!", tenant: "acme", rooms: ["ok", "not;ok"] } as Options;
  for (const want of ["credentials", "user must", "exactly one", "go together", '"not;ok"']) {
    assert.throws(() => check(bad), (e: Error) => e.message.includes(want), want);
  }
  check({ servers: ["ws://localhost:1"], user: "bob", token: "t", rooms: [] });
});

test("a working set holds 50 rooms, the latest wanted first", () => {
  const w = new WorkingSet(undefined);
  const suffix = (): string => w.suffix;
  assert.equal(suffix(), "");
  w.add(["x"]);
  assert.equal(suffix(), "", "the server's own choice holds the rooms of a notice");
  assert.equal(w.want("a.b"), false, "direct rooms need no listing");
  assert.equal(w.want("one", ["two", "a.b"]), true);
  assert.equal(w.want("one"), false);
  assert.equal(suffix(), ";rooms=one,two");
  for (let i = 0; i < 60; i++) {
    w.want(`r${i}`);
  }
  assert.equal(suffix().split(",").length, 50);
  assert.ok(suffix().startsWith(";rooms=r59,"));
});

/** A dial whose attempts end after so many milliseconds each, undefined for one that succeeds; and how many there were. */
function dialing(t: TestContext, takes: (number | undefined)[]): { dial: Dial; tries: () => number } {
  t.mock.timers.enable({ apis: ["Date", "setTimeout"], now: 1_800_000_000_000 });
  let n = 0;
  let later: NodeJS.Immediate | undefined;
  t.after(() => clearImmediate(later));
  const connection = {
    status: () => ({ async *[Symbol.asyncIterator]() { await new Promise(() => {}); } }),
    subscribe: () => {},
    flush: async () => {},
    close: async () => {},
  };
  const dial: Dial = async () => {
    const ms = takes[Math.min(n++, takes.length - 1)];
    if (ms === undefined) {
      return connection as unknown as NatsConnection;
    }
    t.mock.timers.tick(ms);
    later = setImmediate(() => t.mock.timers.tick(10_000)); // whatever it waits
    throw new AuthorizationError("Authorization Violation");
  };
  return { dial, tries: () => n };
}

test("a first connection that nobody decided about is tried again", async (t) => {
  const { dial, tries } = dialing(t, [2_000, 2_000, undefined]);
  const link = await Link.open(dial, { servers: "nats://127.0.0.1", user: "alice", token: "x" });
  assert.equal(tries(), 3);
  link.stop(new ParleyError("closed", "done"));
});

test("a first connection that is refused is not", async (t) => {
  const { dial, tries } = dialing(t, [200]);
  await assert.rejects(Link.open(dial, { servers: "nats://127.0.0.1", user: "alice", token: "x" }), { code: "refused" });
  assert.equal(tries(), 1);
});

test("a first connection that is never decided about is given up", async (t) => {
  const { dial, tries } = dialing(t, [2_000]);
  await assert.rejects(Link.open(dial, { servers: "nats://127.0.0.1", user: "alice", token: "x" }), { code: "refused" });
  assert.equal(tries(), 10);
});

/** A link, and a service that answers with a picture: "bob+ carol-", or refuses with a code. */
function watching(t: TestContext) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const users = (picture: string) => picture.split(" ").map((p) => ({ user: p.slice(0, -1), online: p.endsWith("+") }));
  let stretch = new AbortController();
  const life = new AbortController();
  const link = { user: "alice", life: life.signal, get stretch() { return stretch.signal; }, onNotice: new Set<(n: Notice) => void>() };
  const w = {
    link, life, asked: 0, told: [] as string[], answer: "bob-",
    watch: () => watch(link, ask, (all) => w.told.push(all.map((p) => p.user + (p.online ? "+" : "-")).join(" "))),
    notice: (picture: string) => link.onNotice.forEach((fn) => fn({ what: "presence", users: users(picture) })),
    reconnect: () => { const before = stretch; stretch = new AbortController(); before.abort(new Error("cut off")); },
    settle: () => new Promise((r) => setImmediate(r)),
    tick: async (ms: number) => { t.mock.timers.tick(ms); await w.settle(); },
  };
  const ask = async () => {
    w.asked++;
    if (!/[+-]/.test(w.answer)) {
      throw new ParleyError(w.answer as "not_found", "no");
    }
    return { users: users(w.answer), watch_seconds: 120 };
  };
  return w;
}

test("a watch goes on for as long as somebody looks", async (t) => {
  const w = watching(t);
  w.answer = "alice- bob-"; // of himself it knows better
  const end = await w.watch();
  w.notice("zed+"); // whom another watch is about
  w.notice("bob+");
  assert.deepEqual(w.told, ["alice+ bob-", "alice+ bob+"]);
  w.answer = "alice+ bob+";
  await w.tick(89_000);
  assert.equal(w.asked, 1);
  await w.tick(1_000); // the same again tells nothing
  assert.equal(w.asked, 2);
  w.answer = "bob+ carol-";
  await w.tick(90_000);
  assert.equal(w.asked, 3);
  w.answer = "bob- carol-";
  w.reconnect();
  await w.settle();
  assert.equal(w.asked, 4);
  w.answer = "unavailable";
  await w.tick(90_000);
  w.answer = "bob+ carol+";
  await w.tick(5_000);
  assert.equal(w.asked, 6);
  assert.deepEqual(w.told.slice(2), ["bob+ carol-", "bob- carol-", "bob+ carol+"]);
  end();
  w.notice("bob-");
  await w.tick(1_000_000);
  assert.deepEqual([w.asked, w.told.length, w.link.onNotice.size], [6, 5, 0]);
});

test("a watch ends with the room and with the client", async (t) => {
  const w = watching(t);
  await w.watch();
  w.answer = "not_found";
  await w.tick(90_000);
  await w.settle();
  assert.deepEqual([w.told.at(-1), w.link.onNotice.size], ["", 0]);
  await assert.rejects(w.watch(), { code: "not_found" });
  w.answer = "bob+";
  await w.watch();
  w.life.abort(new ParleyError("closed", "done"));
  w.reconnect();
  await w.settle();
  await w.tick(1_000_000);
  assert.deepEqual([w.asked, w.link.onNotice.size], [4, 0]);
});
