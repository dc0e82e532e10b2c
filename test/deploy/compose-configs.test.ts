import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { OPTIONS } from '../../src/config/options.ts';
import { DEMO, mounted, mounts, published, readText, serviceOf } from '../compose.ts';
import { readDashboard } from '../dashboard.ts';

const prometheusConfig: PrometheusConfig = parse(readText('deploy/compose/prometheus.yml'));

interface PrometheusConfig {
  readonly global: { readonly scrape_interval: string };
  readonly rule_files: readonly string[];
}

interface DataSource {
  readonly type: string;
  readonly url: string;
  readonly isDefault?: boolean;
  readonly jsonData: { readonly timeInterval?: string };
}

interface Provisioned {
  readonly datasources?: readonly DataSource[];
  readonly providers?: ReadonlyArray<{ readonly options: { readonly path: string } }>;
}

describe('Prometheus', () => {
  const prometheus = serviceOf(DEMO, 'prometheus');
  const file = '/etc/prometheus/prometheus.yml';

  test('reads the configuration that is shipped, but for the names of the services', () => {
    expect(prometheus.command).toContain(`--config.file=${file}`);
    expect(mounted(prometheus, file)).toBe('./deploy/compose/prometheus.yml');
    const shipped = readText('prometheus/prometheus.yml')
      .replace('localhost:9093', `alertmanager:${published('alertmanager')}`)
      .replace('localhost:10434', `ollama-exporter:${published('ollama-exporter')}`);
    expect(prometheusConfig).toEqual(parse(shipped));
  });

  test('finds the exporter on the port that it listens on by default', () => {
    const [address] = OPTIONS.listenAddresses.parse(OPTIONS.listenAddresses.fallback);
    expect(published('ollama-exporter')).toBe(String(address?.port));
  });

  test.each(prometheusConfig.rule_files)('finds the rules in %s beside it', (name) => {
    expect(mounted(prometheus, new URL(name, `file://${file}`).pathname)).toBe(`./prometheus/${name}`);
  });

  test('keeps its history in a volume, and links to where a browser finds it', () => {
    expect(prometheus.command).toContain(`--web.external-url=http://localhost:${published('prometheus')}/`);
    const storage = prometheus.command?.find((flag) => flag.startsWith('--storage.tsdb.path='));
    const volumes = mounts(prometheus).filter(({ named }) => named);
    expect(volumes.map(({ target }) => target)).toEqual([storage?.split('=')[1]]);
  });
});

test('Alertmanager finds its configuration where its image looks for it', () => {
  expect(mounted(serviceOf(DEMO, 'alertmanager'), '/etc/alertmanager/alertmanager.yml')).toBe(
    './deploy/compose/alertmanager.yml',
  );
});

describe('Grafana', () => {
  const grafana = serviceOf(DEMO, 'grafana');
  /** Where Grafana looks, and where it looks for what that names. */
  const provisioned = (path: string): Provisioned =>
    parse(readText(mounted(grafana, `/etc/grafana/provisioning/${path}`) ?? ''));
  const { datasources = [] } = provisioned('datasources/datasources.yml');
  const { providers = [] } = provisioned('dashboards/dashboards.yml');

  test('opens with the dashboard, which it also has in its list', () => {
    const home = grafana.environment?.['GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH'] ?? '';
    expect(mounted(grafana, home)).toBe('./grafana/ollama.json');
    expect(home).toBe(`${providers[0]?.options.path}/ollama.json`);
  });

  test('lets everybody look and nobody change anything', () => {
    expect(grafana.environment).toMatchObject({
      GF_AUTH_ANONYMOUS_ENABLED: 'true',
      GF_AUTH_ANONYMOUS_ORG_ROLE: 'Viewer',
      GF_AUTH_DISABLE_LOGIN_FORM: 'true',
      GF_AUTH_BASIC_ENABLED: 'false',
    });
  });

  test('tells nobody that it runs, and fetches nothing', () => {
    expect(grafana.environment).toMatchObject({
      GF_ANALYTICS_REPORTING_ENABLED: 'false',
      GF_ANALYTICS_CHECK_FOR_UPDATES: 'false',
      GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES: 'false',
      GF_NEWS_NEWS_FEED_ENABLED: 'false',
      GF_PLUGINS_PREINSTALL_DISABLED: 'true',
    });
  });

  test('has one data source by default, of the type that the dashboard’s variable chooses from', () => {
    const [variable] = readDashboard().templating.list;
    const byDefault = datasources.filter(({ isDefault }) => isDefault);
    expect(byDefault).toMatchObject([{ uid: 'prometheus', type: variable?.query }]);
  });

  test.each(datasources)('finds $type on its port', ({ type, url }) => {
    expect(url).toBe(`http://${type}:${published(type)}`);
  });

  test('knows the scrape interval', () => {
    expect(datasources[0]?.jsonData.timeInterval).toBe(prometheusConfig.global.scrape_interval);
  });
});
