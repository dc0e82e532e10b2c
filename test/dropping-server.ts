/** A server whose backlog is full, so that the kernel drops the packets of further connections. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';

export interface DroppingServer {
  readonly port: number;
  readonly end: () => void;
}

/** @param acceptAfterMs when it starts to accept; the system's next attempt, 1 s after the first, then succeeds */
export async function startDroppingServer({
  host = '127.0.0.1',
  acceptAfterMs = 60_000,
} = {}): Promise<DroppingServer> {
  const program = `
    const server = require('node:net').createServer((socket) => socket.on('error', () => {}));
    server.listen({ port: 0, host: '${host}', backlog: 1 }, () => {
      require('node:fs').writeSync(1, String(server.address().port));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${acceptAfterMs});
    });
    setTimeout(() => process.exit(), 60_000);`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [chunk] = await once(child.stdout, 'data');
  const port = Number(chunk);
  const fillers = Array.from({ length: 4 }, () => connect(port, host).on('error', () => {}));
  await Promise.all(fillers.slice(0, 2).map((socket) => once(socket, 'connect')));
  return {
    port,
    end: () => {
      child.kill('SIGKILL');
      for (const socket of fillers) {
        socket.destroy();
      }
    },
  };
}
