// Writes docs/alert.png: the e-mail that a real Alertmanager sends for the demo's full VRAM. Takes up to ten minutes.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launchChromium, load } from './screenshot-tools.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DEBIAN = join(ROOT, '.cache/debian/root/usr');
const INSTANCE = 'gpu-01.lan:11434';
const { freePort } = await load('test/free-port.ts');
const PORTS = {
  exporter: await freePort(),
  prometheus: await freePort(),
  alertmanager: await freePort(),
  smtp: await freePort(),
};

const folder = mkdtempSync(join(tmpdir(), 'alert-'));
/** @type {import('node:child_process').ChildProcess[]} */
const programs = [];

/** @type {(program: string, args: readonly string[]) => void} */
const run = (program, args) => {
  programs.push(spawn(program, args, { cwd: folder, stdio: 'ignore' }));
};

/** @type {(name: string, content: unknown) => void} JSON is YAML */
const write = (name, content) => writeFileSync(join(folder, name), JSON.stringify(content));

/** The SMTP that Alertmanager needs. @type {(socket: import('node:net').Socket) => AsyncGenerator<string>} */
async function* mailsOf(socket) {
  let text = '';
  let end = '\r\n';
  socket.write('220 ready\r\n');
  for await (const chunk of socket) {
    text += chunk;
    if (!text.endsWith(end)) {
      continue;
    }
    if (end !== '\r\n') {
      yield text;
    } else if (/^QUIT/i.test(text)) {
      socket.end('221 bye\r\n');
      return;
    }
    end = /^DATA/i.test(text) ? '\r\n.\r\n' : '\r\n';
    socket.write(end === '\r\n' ? '250 ok\r\n' : '354 go on\r\n');
    text = '';
  }
}

/** @type {(wanted: string) => Promise<string>} the first mail whose text contains `wanted` */
const receiveMail = (wanted) =>
  new Promise((resolve, reject) => {
    const server = createServer(async (socket) => {
      for await (const mail of mailsOf(socket)) {
        if (mail.includes(wanted)) {
          server.close();
          resolve(mail);
        }
      }
    });
    server.on('error', reject).listen(PORTS.smtp, '127.0.0.1');
  });

/** The HTML part, from quoted-printable. */
function htmlOf(/** @type {string} */ mail) {
  const [, part = ''] = /text\/html[\s\S]*?\r\n\r\n([\s\S]*?)\r\n--/.exec(mail) ?? [];
  const bytes = part
    // Leading dots are doubled (RFC 5321, 4.5.2).
    .replaceAll('\r\n..', '\r\n.')
    .replaceAll(/=\r\n/g, '')
    .replaceAll(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

for (const name of ['alerts.yml', 'recording.yml']) {
  copyFileSync(join(ROOT, 'prometheus', name), join(folder, name));
}
for (const name of ['default.tmpl', 'email.tmpl']) {
  copyFileSync(join(DEBIAN, 'share/prometheus/alertmanager', name), join(folder, name));
}
write('prometheus.yml', {
  global: { scrape_interval: '15s', evaluation_interval: '15s' },
  rule_files: ['recording.yml', 'alerts.yml'],
  alerting: { alertmanagers: [{ static_configs: [{ targets: [`127.0.0.1:${PORTS.alertmanager}`] }] }] },
  scrape_configs: [
    {
      job_name: 'ollama',
      static_configs: [{ targets: [`127.0.0.1:${PORTS.exporter}`], labels: { instance: INSTANCE } }],
    },
  ],
});
write('alertmanager.yml', {
  route: { receiver: 'mail', group_by: ['alertname', 'job'], group_wait: '1s' },
  receivers: [
    {
      name: 'mail',
      email_configs: [
        {
          to: 'oncall@example.org',
          from: 'alertmanager@example.org',
          smarthost: `127.0.0.1:${PORTS.smtp}`,
          hello: 'alertmanager.example.org',
          require_tls: false,
        },
      ],
    },
  ],
});
try {
  const mail = receiveMail('OllamaVramFull');
  run(process.execPath, [
    join(ROOT, 'dist/main.js'),
    '--demo',
    `--web.listen-address=127.0.0.1:${PORTS.exporter}`,
  ]);
  run(join(DEBIAN, 'bin/prometheus-alertmanager'), [
    '--config.file=alertmanager.yml',
    '--cluster.listen-address=',
    `--web.listen-address=127.0.0.1:${PORTS.alertmanager}`,
    '--web.external-url=https://alertmanager.example.org',
  ]);
  run(join(DEBIAN, 'bin/prometheus'), [
    '--config.file=prometheus.yml',
    `--web.listen-address=127.0.0.1:${PORTS.prometheus}`,
    '--web.external-url=https://prometheus.example.org',
  ]);
  const html = htmlOf(await mail);
  const browser = await launchChromium();
  const page = await browser.newPage({ viewport: { width: 720, height: 400 } });
  await page.setContent(html);
  await page.screenshot({ path: fileURLToPath(new URL('alert.png', import.meta.url)), fullPage: true });
  await browser.close();
} finally {
  for (const program of programs) {
    program.kill('SIGTERM');
    await once(program, 'exit');
  }
  rmSync(folder, { recursive: true });
}
