/** The options of the proxy → a listening proxy; nothing if it is not enabled. */
import type { Logger } from 'pino';
import { UsageError } from '../config/command-line.ts';
import type { Config } from '../config/options.ts';
import type { TlsOptions } from '../ollama/agent.ts';
import { openServerFactory } from '../web/server-factory.ts';
import { type RunningProxy, startProxy } from './proxy-server.ts';

/** No HTTP/1.1 client sends as many before the first response; Node.js parses them all at once. */
const MAX_UNANSWERED = 100;

export type ProxyConfig = Pick<
  Config,
  'proxyListenAddresses' | 'proxyWebConfigFile' | 'proxyIncludeUsage' | 'proxyShutdownGraceMs'
>;

/**
 * @param url of Ollama
 * @param tls for https connections to it
 * @returns undefined without an address to listen on
 * @throws UsageError without an Ollama; FileError for --proxy.web.config.file; Error for an address
 */
export async function startConfiguredProxy(
  config: ProxyConfig,
  url: URL | undefined,
  tls: () => Promise<TlsOptions>,
  log: Logger,
): Promise<RunningProxy | undefined> {
  if (config.proxyListenAddresses.length === 0) {
    return undefined;
  }
  if (url === undefined) {
    throw new UsageError(
      '--proxy.listen-address needs an Ollama to pass requests on to, but --ollama.url is none',
    );
  }
  const servers = await openServerFactory(config.proxyWebConfigFile, log, MAX_UNANSWERED);
  try {
    const proxy = await startProxy({
      listenOn: config.proxyListenAddresses,
      url,
      tls,
      createServer: servers.createServer,
      requiresPassword: servers.requiresPassword,
      includeUsage: config.proxyIncludeUsage,
      shutdownGraceMs: config.proxyShutdownGraceMs,
      log,
    });
    const close = async () => {
      await proxy.close();
      await servers.close();
    };
    return { ...proxy, close };
  } catch (error) {
    await servers.close();
    throw error;
  }
}
