/** Bundles the programs into dist/, with what they read at run time and the licences of what they contain. */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';

/** A source map that maps all to one place: esbuild then keeps none of the package's own lines. */
const NO_LINES = Buffer.from('{"version":3,"sources":["?"],"mappings":"AAAA"}').toString('base64');

/** Node reads the maps at each start, and those of packages would be nine tenths of them. */
const withoutLinesOfPackages = {
  name: 'without-lines-of-packages',
  setup({ onLoad }) {
    onLoad({ filter: /\/node_modules\/.*\.[cm]?js$/ }, ({ path }) => ({
      contents: `${readFileSync(path, 'utf8')}\n//# sourceMappingURL=data:application/json;base64,${NO_LINES}`,
      loader: 'js',
    }));
  },
};

/** What is left of undici where fetch, WebSockets, caches and mocks are not wanted: half of it. */
const CLIENT_OF_UNDICI = `
export { default as Client } from 'undici/lib/dispatcher/client.js';
export { default as buildConnector } from 'undici/lib/core/connect.js';
export { default as errors } from 'undici/lib/core/errors.js';
`;

/** What Fastify calls once at its start: none of the routes has a schema. */
const NO_SCHEMAS = `module.exports = () => () => { throw new Error('schemas are not in the bundle'); };`;

/** Node reads all of a file before it runs any: half of the code of packages is never called, and costs 50 ms. */
const onlyWhatIsUsed = {
  name: 'only-what-is-used',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^undici$/ }, () => ({ path: 'client-of-undici', namespace: 'shortened' }));
    onResolve({ filter: /^@fastify\/(ajv|fast-json-stringify)-compiler$|^light-my-request$/ }, () => ({
      path: 'no-schemas',
      namespace: 'shortened',
    }));
    onLoad({ filter: /./, namespace: 'shortened' }, ({ path }) => ({
      contents: path === 'no-schemas' ? NO_SCHEMAS : CLIENT_OF_UNDICI,
      resolveDir: import.meta.dirname,
    }));
  },
};

rmSync('dist', { recursive: true, force: true });
const { metafile } = await build({
  entryPoints: {
    'ollama-exporter': 'src/main.ts',
    'health-check': 'src/health-check.ts',
    'bcrypt-worker': 'src/web/bcrypt-worker.ts',
  },
  outdir: 'dist',
  bundle: true,
  // What is imported only where an option asks for it stays apart, and isn't read without.
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.18',
  tsconfigRaw: {},
  // Packages of CommonJS ask for Node's own modules this way.
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  },
  // Names stay, so that a stack trace can be read without the maps, too.
  minifySyntax: true,
  minifyWhitespace: true,
  sourcemap: true,
  sourcesContent: false,
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
  plugins: [onlyWhatIsUsed, withoutLinesOfPackages],
});

// Apart from the program: an older Node.js could not even read that, and what is loaded before source maps are turned
// on has none in its stack traces.
writeFileSync(
  'dist/main.js',
  `#!/usr/bin/env node
const needed = '${oldestNode()}';
const [wanted, running] = [needed, process.versions.node].map((version) => version.split('.').map(Number));
// A collator that knows numbers would cost 12 ms.
if ((wanted.map((number, index) => running[index] - number).find((ahead) => ahead !== 0) ?? 0) < 0) {
  console.error(\`ollama-exporter needs Node.js \${needed} or later, this is \${process.versions.node}\`);
  process.exitCode = 1;
} else {
  process.setSourceMapsEnabled(true);
  await import('./ollama-exporter.js');
}
`,
);
chmodSync('dist/main.js', 0o755);
for (const name of ['style.css', 'until.js', 'live.js']) {
  copyFileSync(`src/status/${name}`, `dist/${name}`);
}
writeFileSync('dist/REVISION', revision());
writeFileSync('dist/THIRD-PARTY-NOTICES.txt', notices(Object.keys(metafile.inputs)));

/** That of `engines` in package.json: `>=20.18.1`. */
function oldestNode() {
  return JSON.parse(readFileSync('package.json', 'utf8')).engines.node.replace('>=', '');
}

/** The commit, given by whoever builds without a git checkout. */
function revision() {
  try {
    return process.env.REVISION || execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}

/** @param {string[]} inputs paths of the files that went into the bundle */
function notices(inputs) {
  const folders = inputs.map((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? '');
  return [...new Set(folders)].filter(Boolean).sort().map(notice).join('\n');
}

/** @param {string} folder of a package */
function notice(folder) {
  const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
  const texts = readdirSync(folder)
    .filter((file) => /^(licen[cs]e|notice|copying)/i.test(file))
    .map((file) => readFileSync(`${folder}/${file}`, 'utf8').trim());
  return [`${'-'.repeat(80)}\n${name} ${version} (${license})\n`, ...texts, ''].join('\n');
}
