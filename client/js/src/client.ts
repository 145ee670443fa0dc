// One user's client: he reads, posts, joins and leaves.

import { ParleyError } from "./errors.js";
import { type Dial, Link, type Status } from "./link.js";
import { Listener, type Source } from "./listener.js";
import { type Message, parseStored } from "./message.js";
import { CatchUp, type Missed, pageSize } from "./missed.js";
import type { Notice } from "./notice.js";
import type {
  Found,
  HistoryQuery,
  Level,
  Me,
  Member,
  NewRoom,
  Operations,
  Presence,
  Role,
  Room,
  RoomChange,
  Term,
  Unread,
} from "./operations.js";
import type { Options } from "./options.js";
import { type Answer, parseQuestion, type Question } from "./question.js";
import { type Ack, type Draft, newId, Poster, send } from "./post.js";
import { parseSignal, type Signal } from "./signal.js";
import * as subject from "./subject.js";
import { unless } from "./wait.js";
import { watch } from "./watch.js";

/** What a client did not show, and how often it came back. */
export interface Stats {
  /** What arrived on live, notice or signal subjects, or as a question, and was not believed. */
  junk: number;
  /** Messages that came by history and live, or twice. */
  doubles: number;
  reconnects: number;
}

/** How a message is posted. */
export interface PostOptions {
  /** Ends the retries. */
  signal?: AbortSignal;
  echo?: boolean;
}

interface Events {
  status: (s: Status) => void;
  notice: (n: Notice) => void;
}

/** Operations take a room or its id. */
type RoomRef = Room | string;

const idOf = (r: RoomRef) => (typeof r === "string" ? r : r.id);
function checkRoomId(id: string) {
  if (!subject.validRoomId(id)) {
    throw new ParleyError("invalid", `${JSON.stringify(id)} is no id of a room`);
  }
}

const ending = (t: Term) => ({ until: t.until?.toISOString(), seconds: t.seconds });

const maxRoomPages = 1000; // where a service would page for ever

/** One user's connection, made by connect. */
export class Client {
  #link: Link;
  #me: Me | undefined; // once it was asked for
  #poster: Poster;
  #listeners = new Set<Listener>();
  #catchUp = new CatchUp((request) => this.call("missed", request));

  private constructor(link: Link) {
    this.#link = link;
    this.#poster = new Poster(link, (r) => this.#open(r));
  }

  /** @internal */
  static async connect(dial: Dial, o: Options): Promise<Client> {
    return new Client(await Link.open(dial, o));
  }

  // The connection.

  /** The id of the user whose client this is. */
  get user(): string {
    return this.#link.user;
  }

  get connected(): boolean {
    return this.#link.up;
  }

  get stats(): Stats {
    const { junk, doubles, reconnects } = this.#link;
    return { junk, doubles, reconnects };
  }

  /** Aborts when the client has stopped for good; its reason is a ParleyError, "closed" or "revoked". */
  get stopped(): AbortSignal {
    return this.#link.life;
  }

  /**
   * Calls fn for each change of the connection ("status") or each notice of the platform ("notice"),
   * until the function that it returns is called.
   */
  on<E extends keyof Events>(event: E, fn: Events[E]): () => void {
    const all = (event === "status" ? this.#link.onStatus : this.#link.onNotice) as Set<Events[E]>;
    all.add(fn);
    return () => all.delete(fn);
  }

  /** Ends the connection and everything that hangs on it. */
  async close(): Promise<void> {
    this.#link.stop(new ParleyError("closed", "the client is closed"));
    await this.#link.nc.closed();
  }

  /** Asks for any operation of the chat API. */
  async call<O extends keyof Operations>(op: O, request: Operations[O][0], signal?: AbortSignal): Promise<Operations[O][1]> {
    return (await this.#link.call(op, request, signal)) as Operations[O][1];
  }

  // Rooms.

  whoami(): Promise<Me> {
    return this.call("whoami", {});
  }

  /**
   * Asks a service, which a backend of the tenant answers: name is its own, or <name>@<tenant> of one that another
   * tenant shares. What body and answer are is the service's affair. The request is sent once.
   */
  async service(name: string, body: string | Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
    this.#me ??= await this.whoami();
    return this.#link.ask(name, this.#me.tenant, body, signal);
  }

  /**
   * Answers what users ask the service of that name, whose credentials the client has, until the function that it
   * resolves to is called. shares are the ids of the shares by which other tenants ask. Clients that answer for one
   * service share the questions. What cannot be believed is counted as junk and not answered: everybody may ask for an
   * answer to be sent where he may not speak himself, so that a question counts only where its answer goes to an
   * inbox of the user who asks, or where a server has made its subject.
   */
  async answer(name: string, handle: (q: Question) => Answer | Promise<Answer>, shares: string[] = []): Promise<() => void> {
    this.#me ??= await this.whoami();
    const own = this.#me.tenant;
    const sub = this.#link.nc.subscribe(subject.questions(name), {
      queue: `parley-${name}`,
      callback: (err, m) => {
        const q = err ? undefined : parseQuestion(m, name, own, shares);
        if (q) {
          // What throws is the service's own fault: who asked gets no answer in time.
          void Promise.resolve(handle(q)).then((a) => m.respond(a)).catch(() => {});
        } else if (!err) {
          this.#link.junk++;
        }
      },
    });
    await this.#link.nc.flush();
    return () => sub.unsubscribe();
  }

  /** The user's rooms; with a query (part of an id or title) those that match, also open ones that he could join. */
  async rooms(query?: string): Promise<Room[]> {
    const all = new Map<string, Room>();
    let after: string | undefined;
    for (let page = 0; page < maxRoomPages; page++) {
      const answer = await this.call("rooms", { query, after });
      const fresh = answer.rooms.filter((r) => subject.isPlace(r) && !all.has(r.id));
      if (fresh.length === 0) {
        break;
      }
      fresh.forEach((r) => all.set(r.id, { ...r, title: r.title ?? "" }));
      after = fresh.at(-1)?.id;
    }
    return [...all.values()];
  }

  /** Finds a room by its id: one of the user's, or an open one. Else it throws not_found. */
  async room(id: string): Promise<Room> {
    const found = (await this.rooms(id)).find((r) => r.id === id);
    if (found === undefined) {
      throw new ParleyError("not_found", `there is no room ${JSON.stringify(id)} that you are in or could join`);
    }
    return found;
  }

  /** Makes the user a member of a room, or accepts an invitation to it. Returns when the connection carries the rights. */
  async join(id: string): Promise<Room> {
    checkRoomId(id);
    await this.call("join", { room: id });
    return this.#entered(id);
  }

  /** Makes a room, which the user owns then. It is forbidden where only administrators make rooms. */
  async create(n: NewRoom): Promise<Room> {
    checkRoomId(n.id);
    const { id: room, ...rest } = n;
    try {
      await this.call("create", { room, ...rest });
    } catch (e) {
      // New rights cut the connection, perhaps before the answer: what was made then is there already.
      const made = e instanceof ParleyError && e.code === "conflict" && e.repeated;
      if (!made || (await this.room(room)).role !== "owner") {
        throw e;
      }
    }
    return this.#entered(room);
  }

  /** The room as it is for the user who has just come in, when the connection carries the rights. */
  async #entered(id: string): Promise<Room> {
    const room = await this.room(id);
    // Open rooms need no new connection, but for a user who was kept out of one.
    if (room.kind === "private" || room.kind === "shared" || this.#link.rooms.holds(id)) {
      const stretch = this.#link.stretch;
      this.#link.rooms.add([id]);
      this.#link.restart();
      await this.#link.reconnection(stretch);
    }
    return room;
  }

  /** The 1:1 room with another user, made at the first call. */
  async direct(user: string): Promise<Room> {
    const id = subject.directId(this.user, user);
    await this.call("direct", { user });
    return this.room(id);
  }

  async leave(room: RoomRef): Promise<void> {
    await this.call("leave", { room: idOf(room) });
  }

  async members(room: RoomRef): Promise<Member[]> {
    return (await this.call("members", { room: idOf(room) })).members;
  }

  /** Changes a room's settings. */
  async change(room: RoomRef, change: RoomChange): Promise<void> {
    await this.call("settings", { room: idOf(room), ...change });
  }

  /** Closes a room to posts, or opens it again. */
  async freeze(room: RoomRef, on = true): Promise<void> {
    await this.call("freeze", { room: idOf(room), on });
  }

  /** Puts a room away: it is read and not written, until it is taken out again. */
  async archive(room: RoomRef, on = true): Promise<void> {
    await this.call("archive", { room: idOf(room), on });
  }

  /** Removes a room for good. Its id is never used again. */
  async deleteRoom(room: RoomRef): Promise<void> {
    await this.call("delete_room", { room: idOf(room) });
  }

  // Members.

  /** Invites a user; he accepts with join. */
  async invite(room: RoomRef, user: string, options: Term & { role?: Role } = {}): Promise<void> {
    await this.call("invite", { room: idOf(room), user, role: options.role, ...ending(options) });
  }

  /** Ends a user's membership; he may come back where he may join. */
  async kick(room: RoomRef, user: string, reason?: string): Promise<void> {
    await this.call("kick", { room: idOf(room), user, reason });
  }

  /** Keeps a user out. */
  async ban(room: RoomRef, user: string, options: Term & { reason?: string } = {}): Promise<void> {
    await this.call("ban", { room: idOf(room), user, reason: options.reason, ...ending(options) });
  }

  async unban(room: RoomRef, user: string): Promise<void> {
    await this.call("unban", { room: idOf(room), user });
  }

  async setRole(room: RoomRef, user: string, role: Role): Promise<void> {
    await this.call("role", { room: idOf(room), user, role });
  }

  /** Keeps a user from posting; he reads on. */
  async mute(room: RoomRef, user: string, options: Term & { reason?: string } = {}): Promise<void> {
    await this.call("mute", { room: idOf(room), user, reason: options.reason, ...ending(options) });
  }

  async unmute(room: RoomRef, user: string): Promise<void> {
    await this.call("unmute", { room: idOf(room), user });
  }

  /** Says what the user wants to be told of a room that he does not look at. */
  async notify(room: RoomRef, level: Level): Promise<void> {
    await this.call("notify", { room: idOf(room), level });
  }

  /** Keeps another user's direct messages, mentions and invitations away, or lets them in again. */
  async block(user: string, on = true): Promise<void> {
    await this.call("block", { user, on });
  }

  async blocks(): Promise<string[]> {
    return (await this.call("blocks", {})).users;
  }

  /**
   * Who of a room, or of up to 1,000 users, is there; of large rooms the first 1,000. For two minutes notices
   * ("presence") tell who comes and goes; watchPresence goes on looking.
   */
  async presence(of: RoomRef | string[]): Promise<Presence[]> {
    return (await this.call("presence", Array.isArray(of) ? { users: of } : { room: idOf(of) })).users;
  }

  /**
   * Calls fn with the members of a room and whether each is there: at once, and whenever somebody comes or goes, until
   * the function that it resolves to is called. It asks again before the service forgets, and after each reconnection.
   * Of a room of more than 1,000 members fn is told of those who are there first, and of whoever comes or goes of those
   * that the user looks at. When the user has lost the room, fn is told of nobody.
   */
  watchPresence(room: RoomRef, fn: (users: Presence[]) => void): Promise<() => void> {
    return watch(this.#link, (signal) => this.call("presence", { room: idOf(room) }, signal), fn);
  }

  /** Tells the others that the user is away from his screen, or back. */
  async setIdle(idle: boolean): Promise<void> {
    await this.call("presence", { idle });
  }

  // Reading.

  /** Stored messages, oldest first. It holds everything that was acknowledged before it was asked. */
  async history(room: RoomRef, q: HistoryQuery = {}, signal?: AbortSignal): Promise<{ messages: Message[]; more: boolean }> {
    const { since, until, ...rest } = q;
    const answer = await this.call(
      "history",
      { room: idOf(room), ...rest, since: since?.toISOString(), until: until?.toISOString() },
      signal,
    );
    return { messages: answer.messages.map(parseStored).filter((m) => m !== undefined), more: answer.more };
  }

  /**
   * Finds messages, newest first: in a room, or everywhere the user may read. Where more follow it tells next, the
   * after of the same query's next page; a page may have fewer messages than the limit, or none, all the same.
   */
  async search(query: string, options: { room?: RoomRef; limit?: number; after?: string } = {}): Promise<{ found: Found[]; next?: string }> {
    const room = options.room === undefined ? undefined : idOf(options.room);
    const { messages, next } = await this.call("search", { query, room, limit: options.limit, after: options.after });
    const found = messages.flatMap((raw) => {
      const m = parseStored(raw);
      const { room, highlights } = raw as Found;
      return m ? [{ ...m, room, highlights }] : [];
    });
    return { found, ...(next && { next }) };
  }

  /**
   * Delivers the messages of a room behind the sequence after, and what is posted from then on. With
   * after = 0 it begins with the oldest message that is kept; with a room's last, with the next.
   *
   *     for await (const m of client.listen(room, room.read)) { … }
   */
  listen(room: Room, after = 0): Listener {
    this.stopped.throwIfAborted();
    const source: Source = {
      missed: (after, signal) => this.#missed(room, after, signal),
      room: () => this.room(room.id),
      open: () => this.#open(room),
    };
    const l = new Listener(this.#link, room, after, source, () => this.#listeners.delete(l));
    this.#listeners.add(l);
    return l;
  }

  async #missed(room: Room, after: number, signal: AbortSignal): Promise<Missed> {
    const missed = await unless(this.#catchUp.read(room.id, after), signal);
    if (missed.more && missed.messages.length === 0) {
      // 0 would read as absent, which asks for the newest; sequences begin far above 1.
      return this.history(room, { after: Math.max(after, 1), limit: pageSize }, signal);
    }
    return missed;
  }

  /** Marks the room's messages up to a sequence as read. It never moves back. Returns what is unread then. */
  async read(room: RoomRef, seq: number): Promise<number> {
    return (await this.call("read", { room: idOf(room), seq })).unread;
  }

  /** What the user has not read, in a room or in all of his. */
  unread(room?: RoomRef): Promise<{ unread: number; rooms: Unread[] }> {
    return this.call("unread", room === undefined ? {} : { room: idOf(room) });
  }

  // Speaking.

  /**
   * Stores a message in a room; resolves when it is stored. It repeats what goes unanswered under the
   * same id, so that the message is there once, until signal aborts or the client stops. The id stands
   * on the promise, and on the live message when that comes: a program can show the message at once.
   *
   * With echo the user's own message, as a listener of the room receives it, is taken for the
   * acknowledgement, which costs the servers a third less.
   */
  post(room: Room, draft: Draft, options: PostOptions = {}): Promise<Ack> & { readonly id: string } {
    const id = draft.id ?? newId();
    return Object.assign(this.#post(room, draft, id, options), { id });
  }

  async #post(room: Room, draft: Draft, id: string, { echo, signal }: PostOptions): Promise<Ack> {
    const listens = [...this.#listeners].some((l) => l.room.id === room.id);
    const ack = echo && listens ? await this.#poster.echo(room, draft, id, signal) : undefined;
    return ack ?? this.#poster.post(room, draft, id, signal);
  }

  /** Publishes a message without an acknowledgement: at most once. */
  send(room: Room, draft: Draft): void {
    this.stopped.throwIfAborted();
    send(this.#link, room, draft);
  }

  /** Replaces the text of one of the user's own messages. The others learn it from the event "edited". */
  edit(room: RoomRef, seq: number, text: string): Promise<Message> {
    return this.#change("edit", { room: idOf(room), seq, text });
  }

  /** Takes the text of a message away: of one's own, or as a moderator of anybody's. Its place stays. */
  delete(room: RoomRef, seq: number): Promise<Message> {
    return this.#change("delete", { room: idOf(room), seq });
  }

  /** Adds the user's reaction to a message, or takes it back; emoji is exactly one. */
  react(room: RoomRef, seq: number, emoji: string, on = true): Promise<Message> {
    return this.#change("react", { room: idOf(room), seq, emoji, remove: !on });
  }

  /** Puts a message among those that a room shows to everybody who comes, or takes it away. */
  async pin(room: RoomRef, seq: number, on = true): Promise<void> {
    await this.call("pin", { room: idOf(room), seq, on });
  }

  /** The pinned messages of a room, the last pinned first. */
  async pins(room: RoomRef): Promise<Message[]> {
    return (await this.call("pins", { room: idOf(room) })).messages.map(parseStored).filter((m) => m !== undefined);
  }

  /** Shows a message to the moderators of its room. */
  async report(room: RoomRef, seq: number, reason?: string): Promise<void> {
    await this.call("report", { room: idOf(room), seq, reason });
  }

  /** Asks for an operation that answers with the message as it is then. */
  async #change<O extends "edit" | "delete" | "react">(op: O, request: Operations[O][0]): Promise<Message> {
    const m = parseStored((await this.call(op, request)).message);
    if (m === undefined) {
      throw new ParleyError("internal", `the answer to ${op} has another form than this client knows`);
    }
    return m;
  }

  /**
   * Tells the others in a room that the user types, or has stopped. It may get lost; in rooms that tenants share
   * nobody is told, since signals never leave a tenant.
   */
  typing(room: Room, typing: boolean): void {
    this.stopped.throwIfAborted();
    if (subject.isShared(room)) {
      return;
    }
    this.#link.nc.publish(subject.sig(room, this.user), JSON.stringify({ typing }));
  }

  /**
   * Calls fn for each signal in a room, the user's own among them, until the function that it returns is called.
   * Rooms that tenants share have none.
   */
  signals(room: Room, fn: (s: Signal) => void): () => void {
    this.stopped.throwIfAborted();
    if (subject.isShared(room)) {
      return () => {};
    }
    const sub = this.#link.nc.subscribe(subject.sig(room, "*"), {
      callback: (err, m) => {
        const s = err ? undefined : parseSignal(room, m);
        if (s) {
          fn(s);
        } else if (!err) {
          this.#link.junk++;
        }
      },
    });
    return () => sub.unsubscribe();
  }

  /** Reconnects with the room in the working set; false where that would change nothing. */
  #open(room: subject.Place): boolean {
    const inUse = [...this.#listeners].map((l) => l.room.id);
    if (!this.#link.rooms.want(room.id, inUse)) {
      return false;
    }
    this.#link.restart();
    return true;
  }
}
