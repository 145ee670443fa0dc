// The entry for browsers, and for whatever else has a global WebSocket.

import { wsconnect } from "@nats-io/nats-core";

import { Client } from "./client.js";
import type { Options } from "./options.js";

export * from "./types.js";

/** Connects the user that o names over WebSocket, and returns when he is admitted. The caller owes the client a close. */
export function connect(o: Options): Promise<Client> {
  return Client.connect(wsconnect, o);
}
