// The chat page: rooms with what is unread, history, live messages, edits, reactions, replies, typing,
// who is there, and search. All that others wrote becomes text nodes, never markup.
import { connect, newId, System } from "../../../client/js/src/index.ts";

const root = document.querySelector("#chat");
const $ = (what) => root.querySelector(`[data-part="${what}"]`);
const changes = ["edited", "deleted", "reaction"]; // events that change a message, and have no line of their own
const emojis = ["👍", "❤️", "😂", "🎉"];

let client, room, listener, quit = () => {};
let rooms = new Map();
let messages = new Map(); // of the open room, by sequence
let older = false; // there are more before the oldest
let oldest = 0; // sequence that history was read from
let thread; // the message whose replies are shown instead of the room
let replies = new Map(); // of it, by sequence
let replyTo, editing, typedAt = 0;
const typists = new Map(); // user: timer
const outgoing = new Map(); // what this page posts and has not heard yet, by id: {id, room, draft, error, seq}

function make(tag, props = {}, ...children) {
  const e = Object.assign(document.createElement(tag), props);
  e.append(...children.filter((c) => c !== undefined));
  return e;
}

// `code`, **strong**, *emphasis* and http addresses; everything else stays as it was written.
const marks = /(`[^`\n]+`)|(\*\*[^*\n]+\*\*)|(\*[^*\s][^*\n]*\*)|(https?:\/\/[^\s<>"']+)/g;
function rich(text) {
  const out = document.createDocumentFragment();
  let from = 0;
  for (const m of text.matchAll(marks)) {
    out.append(text.slice(from, m.index));
    from = m.index + m[0].length;
    if (m[1]) out.append(make("code", { textContent: m[1].slice(1, -1) }));
    else if (m[2]) out.append(make("strong", { textContent: m[2].slice(2, -2) }));
    else if (m[3]) out.append(make("em", { textContent: m[3].slice(1, -1) }));
    else out.append(make("a", { href: m[4], textContent: m[4], rel: "noopener noreferrer nofollow", target: "_blank" }));
  }
  out.append(text.slice(from));
  return out;
}

function say(text, bad = false) {
  const s = $("status");
  s.textContent = text;
  s.classList.toggle("bad", bad);
}

async function attempt(fn) {
  try {
    return await fn();
  } catch (err) {
    if (err?.name !== "AbortError" && !client?.stopped.aborted) say(err?.message ?? String(err), true);
  }
}

async function token() {
  const answer = await fetch(root.dataset.token, { method: "POST" });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok || !body.token) throw new Error("No token for this user: log in again, or restore them under Users.");
  return body.token;
}

// Rooms.

function drawRooms() {
  const list = [...rooms.values()].sort((a, b) => (a.title || a.id).localeCompare(b.title || b.id));
  $("rooms").replaceChildren(...list.map((r) => {
    const button = make("button", { type: "button", onclick: () => attempt(() => open(r.id)) },
      make("span", { textContent: r.title || r.id }),
      r.unread > 0 ? make("span", { className: "badge", textContent: String(r.unread), ariaLabel: `${r.unread} unread` }) : undefined,
      r.kind === "shared" ? make("span", { className: "with", textContent: `shared with ${others(r).join(", ")}` }) : undefined);
    if (room?.id === r.id) button.setAttribute("aria-current", "true");
    return make("li", {}, button);
  }));
}

/** The other tenants of a shared room. */
function others(r) {
  return Object.values(r.tenants).filter((t) => t !== r.tenant);
}

async function loadRooms() {
  rooms = new Map((await client.rooms($("find").value.trim() || undefined)).map((r) => [r.id, r]));
  drawRooms();
  watch();
}

// The server tells what is unread only of rooms that the connection does not carry; the others are listened to.
const watched = new Map(); // listeners by room
function watch() {
  for (const r of rooms.values()) {
    if (r.role && !watched.has(r.id) && watched.size < 100) attempt(() => count(r.id, client.listen(r, r.last)));
  }
}

async function count(id, l) {
  watched.set(id, l);
  try {
    for await (const m of l) {
      const r = rooms.get(id);
      if (!r || m.sender === System || m.sender === client.user || (id === room?.id && !document.hidden)) continue;
      r.unread++;
      drawRooms();
    }
  } finally {
    watched.delete(id);
  }
}

async function open(id) {
  listener?.close();
  quit();
  room = await client.room(id);
  thread = undefined;
  if (!room.role && (room.kind === "open" || room.kind === "announce")) room = await client.join(id);
  rooms.set(id, room);
  messages = new Map();
  compose();
  $("title").textContent = room.title || room.id;
  $("found").hidden = true;
  const page = await client.history(room, { limit: 50 });
  older = page.more;
  oldest = page.messages[0]?.seq ?? 0;
  page.messages.filter((m) => !changes.includes(m.event?.event)).forEach((m) => { messages.set(m.seq, m); heard(m); });
  drawMessages();
  $("messages").scrollTop = $("messages").scrollHeight;
  drawRooms();
  const last = page.messages.at(-1)?.seq ?? 0;
  quit = client.signals(room, hear);
  follow(client.listen(room, last));
  if (last) seen(last);
  attempt(look);
}

async function follow(l) {
  listener = l;
  for await (const m of l) {
    const near = $("messages").scrollHeight - $("messages").scrollTop - $("messages").clientHeight < 120;
    take(m);
    drawMessages();
    if (near || m.sender === client.user) $("messages").scrollTop = $("messages").scrollHeight;
    if (!document.hidden) seen(m.seq);
  }
}

// An event about a message changes it; all else is a line of its own.
function take(m) {
  const e = m.event;
  if (e && changes.includes(e.event)) {
    for (const all of [messages, replies]) if (all.has(e.seq)) change(all.get(e.seq), e, m.time);
    if (thread?.seq === e.seq) change(thread, e, m.time);
    return;
  }
  if (m.sender === client.user) heard(m);
  messages.set(m.seq, m);
  const root = messages.get(m.thread);
  if (root) root.replies = (root.replies ?? 0) + 1;
  if (thread && m.thread === thread.seq) replies.set(m.seq, m);
}

function change(of, e, at) {
  if (e.event === "edited") Object.assign(of, { text: e.text ?? of.text, edited: at });
  if (e.event === "deleted") Object.assign(of, { text: "", deleted: at });
  if (e.event === "reaction") {
    const users = new Set(of.reactions?.[e.emoji] ?? []);
    if (e.on === false) users.delete(e.by); else users.add(e.by);
    of.reactions = { ...of.reactions, [e.emoji]: [...users] };
  }
}

// A thread stands in the place of the room until one goes back.
async function openThread(root) {
  const page = await client.history(room, { thread: root.seq, limit: 200 });
  thread = root;
  replies = new Map(page.messages.map((m) => [m.seq, m]));
  compose();
  drawMessages();
  $("text").focus();
}

function closeThread() {
  thread = undefined;
  compose();
  drawMessages();
  $("messages").scrollTop = $("messages").scrollHeight;
}

// A user of another tenant is <user>@<tenant>.
function name(sender) {
  const [user, of] = sender.split("@");
  return [make("strong", { textContent: user }), of ? make("span", { className: "tag", textContent: `@${of}`, title: `of the tenant ${of}` }) : undefined];
}

const seen = (seq) => attempt(async () => {
  await client.read(room, seq);
  const r = rooms.get(room.id);
  if (r) { r.unread = 0; drawRooms(); }
});

// Messages.

function eventLine(e) {
  const who = e.user ? (e.by && e.by !== e.user ? `${e.user} (by ${e.by})` : e.user) : e.by ?? "an admin";
  return `${who}: ${e.event}`;
}

function drawMessages() {
  $("thread").hidden = !thread;
  const all = thread ? [thread, ...[...replies.values()].sort((a, b) => a.seq - b.seq)] : [...messages.values()].sort((a, b) => a.seq - b.seq);
  const list = all.map((m) => {
    if (m.sender === System) return make("li", { className: "event", textContent: eventLine(m.event ?? { event: "" }) });
    const mine = m.sender === client.user;
    const item = make("li", { className: mine ? "mine" : "" });
    item.append(make("div", { className: "by" },
      ...name(m.sender),
      make("time", { dateTime: m.time.toISOString(), textContent: m.time.toLocaleTimeString(undefined, { timeStyle: "short" }) }),
      m.edited && !m.deleted ? make("span", { className: "muted", textContent: "edited" }) : undefined));
    if (m.thread && !thread) item.append(make("div", { className: "muted small", textContent: "↳ " + (messages.get(m.thread)?.text || "an earlier message").slice(0, 80) }));
    if (m === thread) item.className += " root";
    if (m.deleted) item.append(make("p", { className: "muted", textContent: "deleted" }));
    else item.append(make("p", {}, rich(m.text)));
    for (const a of m.attachments ?? []) {
      if (/^https?:\/\//.test(a.url)) item.append(make("a", { href: a.url, textContent: a.name || a.url, rel: "noopener noreferrer nofollow", target: "_blank" }));
    }
    if (!m.deleted) item.append(actions(m, mine));
    return item;
  });
  list.push(...[...outgoing.values()].filter((o) => o.room.id === room.id && (!thread || o.draft.thread === thread.seq)).map(outgoingLine));
  $("messages").replaceChildren(
    older && !thread ? make("li", { className: "event" }, make("button", { type: "button", className: "plain", textContent: "Earlier messages", onclick: () => attempt(earlier) })) : "",
    ...(list.length ? list : [make("li", { className: "event", textContent: "Nothing said here yet. Say hello below." })]));
}

/** A message on its way, or one that did not arrive. */
function outgoingLine(o) {
  const item = make("li", { className: "mine outgoing" },
    make("div", { className: "by" }, ...name(client.user), make("span", { className: o.error ? "tag bad" : "muted", textContent: o.error ? "not sent" : "sending…" })),
    make("p", {}, rich(o.draft.text)));
  if (!o.error) return item;
  const button = (textContent, onclick) => make("button", { type: "button", className: "given", textContent, onclick });
  item.append(make("p", { className: "muted small", textContent: o.error }), make("div", { className: "acts" },
    button("Try again", () => deliver(o)),
    button("Discard", () => { outgoing.delete(o.id); drawMessages(); })));
  return item;
}

function actions(m, mine) {
  const bar = make("div", { className: "acts" });
  const given = Object.entries(m.reactions ?? {}).filter(([, users]) => users.length);
  const shown = new Set([...given.map(([e]) => e), ...emojis]);
  for (const emoji of shown) {
    const users = m.reactions?.[emoji] ?? [];
    const on = users.includes(client.user);
    bar.append(make("button", {
      type: "button", className: users.length ? "given" : "offer", ariaPressed: String(on), title: users.join(", "), ariaLabel: `${emoji} ${users.length}`,
      textContent: users.length ? `${emoji} ${users.length}` : emoji, onclick: () => attempt(() => client.call("react", { room: room.id, seq: m.seq, emoji, remove: on })),
    }));
  }
  const act = (label, fn) => bar.append(make("button", { type: "button", className: "offer", textContent: label, onclick: fn }));
  if (!thread && m.replies) bar.append(make("button", { type: "button", className: "given", textContent: `${m.replies} ${m.replies === 1 ? "reply" : "replies"}`, onclick: () => attempt(() => openThread(m)) }));
  if (!thread) act("Reply", () => compose({ reply: m }));
  if (mine) {
    act("Edit", () => compose({ edit: m }));
    act("Delete", () => attempt(() => client.call("delete", { room: room.id, seq: m.seq })));
  }
  return bar;
}

async function earlier() {
  const page = await client.history(room, { before: oldest, limit: 50 });
  older = page.more;
  oldest = page.messages[0]?.seq ?? oldest;
  const box = $("messages"), below = box.scrollHeight - box.scrollTop;
  page.messages.filter((m) => !changes.includes(m.event?.event)).forEach((m) => messages.set(m.seq, m));
  drawMessages();
  box.scrollTop = box.scrollHeight - below;
}

// Speaking.

function compose({ reply, edit } = {}) {
  replyTo = reply ?? (edit ? undefined : thread);
  editing = edit;
  const field = $("text");
  field.value = edit?.text ?? "";
  $("about").textContent = edit ? "You edit your message. Escape leaves it as it is." : reply ? `Reply to ${reply.sender}: ${reply.text.slice(0, 60)}` : "";
  $("link").value = "";
  $("link").hidden = true;
  if (edit || reply) field.focus();
}

async function send() {
  const text = $("text").value.trim();
  const link = $("link").value.trim();
  if (!text && !link || !room) return;
  if (link && !/^https?:\/\/\S+$/.test(link)) throw new Error("An attachment is a link that begins with https://");
  const [about, to] = [editing, replyTo?.thread ?? replyTo?.seq];
  compose();
  client.typing(room, false);
  typedAt = 0;
  if (about) await edit(about, text);
  else await deliver({ id: newId(), room, draft: { text, ...(to && { thread: to }), ...(link && { attachments: [{ url: link }] }) } });
}

async function edit(of, text) {
  try {
    await client.call("edit", { room: room.id, seq: of.seq, text });
  } catch (err) {
    compose({ edit: of });
    $("text").value = text;
    throw err;
  }
}

/** Posts under one id, so that whatever is tried again is there once, and shows it meanwhile. */
async function deliver(o) {
  delete o.error;
  outgoing.set(o.id, o);
  const show = () => { if (room?.id === o.room.id) drawMessages(); };
  show();
  $("messages").scrollTop = $("messages").scrollHeight;
  try {
    o.seq = (await client.post(o.room, { ...o.draft, id: o.id })).seq;
    if (messages.has(o.seq)) outgoing.delete(o.id);
  } catch (err) {
    if (outgoing.has(o.id)) o.error = err?.message ?? String(err);
  }
  show();
}

/** What was stored does not count after all: it goes, and can be sent anew, under another id. */
function refused(n) {
  say(`Not accepted: ${n.code}`, true);
  const m = room?.id === n.room ? messages.get(n.seq) ?? replies.get(n.seq) : undefined;
  if (!m) return;
  for (const all of [messages, replies]) all.delete(n.seq);
  const root = messages.get(m.thread);
  if (root) root.replies--;
  if (thread?.seq === n.seq) closeThread();
  const id = newId();
  outgoing.set(id, { id, room, draft: { text: m.text, ...(m.thread && { thread: m.thread }), ...(m.attachments && { attachments: m.attachments }) }, error: n.code });
  drawMessages();
}

/** A message of one's own has come, live or from history, which does not tell the id. */
function heard(m) {
  for (const o of outgoing.values()) {
    if (o.id === m.id || o.seq === m.seq) outgoing.delete(o.id);
  }
}

function hear(s) {
  if (s.user === client.user) return;
  clearTimeout(typists.get(s.user));
  typists.delete(s.user);
  if (s.typing) typists.set(s.user, setTimeout(() => { typists.delete(s.user); drawTypists(); }, 5000));
  drawTypists();
}

function drawTypists() {
  const who = [...typists.keys()];
  $("typing").textContent = who.length ? `${who.join(", ")} ${who.length === 1 ? "is" : "are"} typing…` : "";
}

// Who is there is watched while the page is looked at.
let unwatch = () => {};
let watches = 0;
async function look() {
  const mine = ++watches;
  unwatch();
  unwatch = () => {};
  if (!room || document.hidden) return;
  const end = await client.watchPresence(room, (users) => {
    const here = users.filter((u) => u.online).map((u) => u.user);
    if (mine === watches) $("here").textContent = here.length ? `Here: ${here.join(", ")}` : "";
  });
  if (mine === watches) unwatch = end;
  else end();
}

async function search(query) {
  if (!query) { $("found").hidden = true; return; }
  const list = make("ul");
  const head = make("h3");
  const more = make("button", { type: "button", className: "plain", textContent: "More" });
  const show = async (after) => {
    more.disabled = true;
    const { found, next } = await client.search(query, { limit: 20, after }).finally(() => { more.disabled = false; });
    list.append(...found.map(foundLine));
    head.textContent = list.children.length ? `Found ${list.children.length}${next ? " and more" : ""}` : next ? "Nothing found so far" : "Nothing found. Try another word.";
    more.hidden = !next;
    more.onclick = () => attempt(() => show(next));
  };
  await show();
  $("found").replaceChildren(head, list, more);
  $("found").hidden = false;
}

function foundLine(m) {
  return make("li", {}, make("button", { type: "button", className: "plain", textContent: rooms.get(m.room)?.title || m.room, onclick: () => attempt(() => open(m.room)) }), " ",
    ...name(m.sender), ": ", ...m.highlights.map((h) => (h.hit ? make("mark", { textContent: h.text }) : h.text)));
}

// The start.

async function start() {
  say("Connecting…");
  client = await connect({ servers: root.dataset.servers, user: root.dataset.user, token, name: "console chat" });
  say("Connected");
  client.on("status", () => {
    if (!client.stopped.aborted) say(client.connected ? "Connected" : "Connection lost; trying again…", !client.connected);
  });
  client.stopped.addEventListener("abort", () => {
    const why = client.stopped.reason;
    say(why?.code === "revoked" ? `Thrown out: ${why.message}` : "The connection has ended. Load the page again.", true);
    $("form").querySelectorAll("textarea, button").forEach((e) => { e.disabled = true; });
  });
  client.on("notice", (n) => {
    if (n.what === "unread" && rooms.has(n.room)) {
      rooms.get(n.room).unread = room?.id === n.room && !document.hidden ? 0 : n.unread;
      drawRooms();
    }
    if (["invited", "removed", "rights", "mention"].includes(n.what)) attempt(loadRooms);
    if (n.what === "refused") refused(n);
  });
  await loadRooms();
  const first = rooms.get("lobby") ?? [...rooms.values()][0];
  if (first) await open(first.id);
  else say("You are in no room yet: find one at the left.");
}

$("find").addEventListener("input", () => attempt(loadRooms));
$("form").addEventListener("submit", (e) => { e.preventDefault(); attempt(send); });
$("text").addEventListener("keydown", (e) => {
  if (e.key === "Enter" && !e.shiftKey) { e.preventDefault(); attempt(send); }
  if (e.key === "Escape") { if (thread && !editing) closeThread(); else compose(); }
});
$("text").addEventListener("input", () => {
  if (client && room && Date.now() - typedAt > 3000) { typedAt = Date.now(); client.typing(room, true); }
});
$("attach").addEventListener("click", () => { $("link").hidden = !$("link").hidden; if (!$("link").hidden) $("link").focus(); });
$("back").addEventListener("click", closeThread);
$("search").addEventListener("submit", (e) => { e.preventDefault(); attempt(() => search(e.target.q.value.trim())); });
$("messages").addEventListener("scroll", () => { if ($("messages").scrollTop === 0 && older && !thread) { older = false; attempt(earlier); } });
document.addEventListener("visibilitychange", () => { attempt(look); if (!document.hidden && room && messages.size) seen(Math.max(...messages.keys())); });
attempt(start);
