import { expect, test } from 'vitest';
import { landingPage } from '../../src/landing-page.ts';

const page = { version: '1.2.3', telemetryPath: '/a/metrics', target: 'http://a:1/', simulated: false };

test('the page names the version and the target, and links relatively', () => {
  const html = landingPage(page);
  expect(html).toContain('version 1.2.3');
  expect(html).toContain('<code>http://a:1/</code>');
  expect(html).toContain('href="./a/metrics"');
  expect(html).not.toContain('simulation');
});

test('in a demo the page says that this is a simulation', () => {
  expect(landingPage({ ...page, simulated: true })).toContain('This is a simulation');
});

test('text from outside can not become markup', () => {
  expect(landingPage({ ...page, target: '"><script>&\'' })).toContain(
    '<code>&quot;&gt;&lt;script&gt;&amp;&#39;</code>',
  );
});
