/** Parses PromQL with Prometheus's own grammar. */
import { parser } from '@prometheus-io/lezer-promql';

/** @throws Error that shows the position of a syntax error */
export function metricNames(expr: string): readonly string[] {
  const names: string[] = [];
  parser.parse(expr).iterate({
    enter: ({ type, from, to }) => {
      if (type.isError) {
        throw new Error(`not PromQL at ${from}: ${expr}`);
      }
      if (type.name === 'Identifier') {
        names.push(expr.slice(from, to));
      }
    },
  });
  return names;
}

/** The label matchers of each selector in the expression, as written. */
export function selectors(expr: string): readonly string[] {
  const found: string[] = [];
  parser.parse(expr).iterate({
    enter: ({ type, from, to }) => {
      if (type.name === 'VectorSelector') {
        found.push(expr.slice(from, to));
      }
    },
  });
  return found;
}

/** Replaces Grafana's variables with syntactically valid values. */
export function withVariables(expr: string): string {
  return expr.replaceAll('$__rate_interval', '5m').replaceAll('$__range', '1h');
}
