/** Compares passwords with bcrypt hashes in a thread of its own. JavaScript, so that tests can start it as it is. */
import { parentPort } from 'node:worker_threads';
import { compareSync } from 'bcryptjs';

parentPort?.on('message', (/** @type {{ password: string, hash: string }} */ { password, hash }) => {
  parentPort?.postMessage(compareSync(password, hash));
});
