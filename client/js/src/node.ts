// The entry for node: nats:// and tls:// over TCP.

import { connect as tcp } from "@nats-io/transport-node";

import { Client } from "./client.js";
import type { Options } from "./options.js";

export * from "./types.js";

/**
 * Connects the user that o names over TCP, and returns when he is admitted. The caller owes the client a
 * close. One process uses either this or the WebSocket entry: nats.js has one transport for all its connections.
 */
export function connect(o: Options): Promise<Client> {
  return Client.connect(tcp, o);
}
