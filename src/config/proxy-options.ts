/** The options of the proxy. */
import { parseGoDuration } from './go-duration.ts';
import { parseListenAddresses } from './listen-address.ts';
import type { OptionSpec } from './option-spec.ts';
import { parseFile, parseSwitch } from './option-values.ts';

export const PROXY_OPTIONS = {
  proxyListenAddresses: {
    flag: 'proxy.listen-address',
    placeholder: 'address',
    fallback: '',
    repeatable: true,
    help: 'Address of a proxy in front of Ollama that counts requests and tokens, such as 127.0.0.1:11435. Repeatable, or separated by commas. Without one there is no proxy.',
    parse: (text: string) => (text === '' ? [] : parseListenAddresses(text)),
  },
  proxyWebConfigFile: {
    flag: 'proxy.web.config.file',
    placeholder: 'file',
    fallback: '',
    help: 'YAML file that enables TLS or authentication for the proxy, in the format of --web.config.file.',
    parse: parseFile,
  },
  proxyIncludeUsage: {
    flag: 'proxy.include-usage',
    fallback: 'false',
    help: 'Request token figures in OpenAI streams of clients that do not, and take them out of the response again.',
    parse: parseSwitch,
  },
  proxyShutdownGraceMs: {
    flag: 'proxy.shutdown-grace',
    placeholder: 'duration',
    fallback: '10s',
    help: 'Time that responses in the proxy have to end by themselves when the exporter stops.',
    parse: parseGoDuration,
  },
} as const satisfies Record<string, OptionSpec<unknown>>;
