// Where to connect and as whom.

import { ParleyError } from "./errors.js";
import { validId, validNkey, validRoomId } from "./subject.js";

/** servers, user and exactly one of token, creds, password and seed are required. */
export interface Options {
  /** URL of one or more servers: ws:// or wss:// in browsers, nats:// or tls:// in node. */
  servers: string | string[];
  /** Id of the user. */
  user: string;

  /**
   * Returns a JSON Web Token for the user. It is called before the first connection and whenever the
   * last one it gave is used up, one call at a time. A string is a token that never changes.
   */
  token?: string | (() => string | Promise<string>);
  /** The text of a .creds file. */
  creds?: string;
  /** tenant and password go together. */
  tenant?: string;
  password?: string;
  /** The seed of the user's registered nkey, SU…. */
  seed?: string;

  /**
   * The working set: the ids of the rooms that this connection lists one by one, at most 50; absent, the
   * server takes the latest active. The client adds what it listens to and may not otherwise.
   */
  rooms?: string[];

  /** Of the program, for the servers' lists of connections. */
  name?: string;
}

/** A connection carries at most so many listed rooms. */
export const maxListedRooms = 50;

/** Reports all faults at once. */
export function check(o: Options): void {
  const faults: string[] = [];
  const fault = (ok: boolean, text: string) => ok || faults.push(text);
  const methods = [o.token, o.creds, o.password, o.seed].filter((m) => m !== undefined).length;
  const rooms = o.rooms ?? [];

  fault(serversOf(o).length > 0, "servers is required");
  for (const s of serversOf(o)) {
    const url = URL.canParse(s) ? new URL(s) : undefined;
    fault(url !== undefined, `servers holds ${JSON.stringify(s)}, which is no URL`);
    fault(!url?.username && !url?.password, "servers must carry no credentials: use token, creds, password or seed");
  }
  fault(validId(o.user) || (validNkey(o.user) && o.creds !== undefined), `user must be the id of a user, or the nkey of one whom the tenant signed, with creds; got ${JSON.stringify(o.user)}`);
  fault(methods === 1, "exactly one of token, creds, password and seed is required");
  fault((o.password === undefined) === (o.tenant === undefined), "tenant and password go together");
  fault(rooms.length <= maxListedRooms, `rooms names ${rooms.length} rooms, at most ${maxListedRooms} are allowed`);
  for (const r of rooms) {
    fault(validRoomId(r), `rooms holds ${JSON.stringify(r)}, which is no id of a room`);
  }
  if (faults.length > 0) {
    throw new ParleyError("invalid", faults.join("; "));
  }
}

export function serversOf(o: Options): string[] {
  const all = typeof o.servers === "string" ? o.servers.split(",") : (o.servers ?? []);
  return all.map((s) => s.trim()).filter((s) => s !== "");
}
