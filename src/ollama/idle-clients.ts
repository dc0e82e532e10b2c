/** Keeps the connections to one server that no call is at work with. */
import { Client, errors } from 'undici';

export interface IdleClients {
  /** For one call: one that is connected, unless there is none or `fresh` is wanted. @throws once they are closed */
  readonly take: (fresh: boolean) => Client;
  /** To be called once with each that was taken: one that is not fit for the next call is ended. */
  readonly giveBack: (client: Client, fit: boolean) => void;
  readonly close: () => Promise<void>;
}

/** In place of undici's Pool, which takes 20 KB for each server before it has a connection. */
export function keepIdleClients(origin: string, options: Client.Options): IdleClients {
  const all = new Set<Client>();
  const idle: Client[] = [];
  let closed = false;
  return {
    take: (fresh) => {
      if (closed) {
        throw new errors.ClientDestroyedError();
      }
      const client = (fresh ? undefined : idle.pop()) ?? new Client(origin, options);
      all.add(client);
      return client;
    },
    giveBack: (client, fit) => {
      if (fit) {
        idle.push(client);
      } else {
        all.delete(client);
        void client.destroy();
      }
    },
    close: async () => {
      closed = true;
      await Promise.all([...all].map((client) => client.destroy()));
    },
  };
}
