/** Compares passwords with bcrypt hashes in a separate thread. JavaScript, so that tests can start it without a build. */
import { parentPort } from 'node:worker_threads';
import { compareSync } from 'bcryptjs';

parentPort?.on('message', (/** @type {{ password: string, hash: string }} */ { password, hash }) => {
  parentPort?.postMessage(compareSync(password, hash));
});
