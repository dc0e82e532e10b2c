/** The page at `/`: what this is, what it scrapes, and where the metrics are. */

export interface LandingPage {
  readonly version: string;
  readonly telemetryPath: string;
  /** The base URL of the Ollama that is scraped. */
  readonly target: string;
  /** Whether that Ollama is a simulation. */
  readonly simulated: boolean;
}

export const CONTENT_SECURITY_POLICY =
  "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** Links are relative, so that the page works under a path prefix of a reverse proxy. */
export function landingPage({ version, telemetryPath, target, simulated }: LandingPage): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Ollama Exporter</title>
</head>
<body>
<h1>Ollama Exporter</h1>
<p>Prometheus exporter for Ollama, version ${escapeHtml(version)}.</p>
${simulated ? '<p><strong>This is a simulation:</strong> started with --demo, no real Ollama is asked.</p>\n' : ''}<p>Scrapes <code>${escapeHtml(target)}</code> each time when the metrics are asked for.</p>
<ul>
<li><a href=".${escapeHtml(telemetryPath)}">Metrics</a></li>
<li><a href="./config">Configuration</a></li>
<li><a href="./-/healthy">Health</a></li>
</ul>
</body>
</html>
`;
}

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ["'", '&#39;'],
]);

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES.get(character) ?? character);
}
