// A room in a browser. `npm run bundle` makes dist/page of it; serve that folder and open
//
//     index.html?ws=ws://127.0.0.1:8443&user=alice&room=lobby#TOKEN
//
// where TOKEN is what your backend minted for the user. In an application the token function asks your
// backend for one whenever it is called.

import { type Client, connect, type Message, ParleyError, type Room } from "../../src/index.js";

const query = new URLSearchParams(location.search);
const part = <E extends HTMLElement>(id: string) => document.getElementById(id) as E;
const lines = new Map<string, HTMLElement>(); // of own messages that are under way, by id

function line(text: string, style: string): HTMLElement {
  const li = document.createElement("li");
  li.textContent = text; // never HTML: others wrote it
  li.className = style;
  part("messages").append(li);
  return li;
}

function show(m: Message) {
  if (m.event) {
    line(`${m.event.event} ${m.event.user ?? ""}`, "event");
    return;
  }
  const waiting = lines.get(m.id ?? "");
  if (waiting) {
    waiting.remove();
    lines.delete(m.id ?? "");
  }
  line(`${m.sender}: ${m.text}`, "");
}

/** Shows a message at once, and again in its place when it has come back. */
function say(client: Client, room: Room, text: string) {
  const post = client.post(room, { text });
  const waiting = line(`${client.user}: ${text}`, "waiting");
  lines.set(post.id, waiting);
  post.catch((e: unknown) => {
    waiting.textContent += ` (not sent: ${e instanceof Error ? e.message : e})`;
  });
}

async function run() {
  const client = await connect({
    servers: query.get("ws") ?? "",
    user: query.get("user") ?? "",
    token: () => location.hash.slice(1),
    name: "example page",
  });
  const room = await client.join(query.get("room") ?? "lobby");
  part("title").textContent = room.title || room.id;
  client.on("status", (s) => { part("title").textContent = s.state === "connected" ? room.title || room.id : `${s.state}…`; });
  client.signals(room, (s) => { part("typing").textContent = s.typing && s.user !== client.user ? `${s.user} types…` : ""; });

  const text = part<HTMLInputElement>("text");
  text.addEventListener("input", () => client.typing(room, text.value !== ""));
  part<HTMLFormElement>("form").addEventListener("submit", (e) => {
    e.preventDefault();
    say(client, room, text.value);
    text.value = "";
  });
  if (query.has("say")) {
    say(client, room, query.get("say") ?? "");
  }
  for await (const m of client.listen(room, 0)) {
    show(m);
  }
}

run().catch((e: unknown) => {
  part("title").textContent = e instanceof ParleyError ? e.message : String(e);
});
