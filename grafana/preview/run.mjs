// `npm run dashboard:preview`: loads TypeScript on every supported Node.js, without compiling it beforehand.
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

await runnerImport(fileURLToPath(new URL('preview.ts', import.meta.url)));
