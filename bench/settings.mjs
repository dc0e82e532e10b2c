/** The command line: what is measured, how often and for how long. */
import { parseArgs } from 'node:util';
import { EXPORTER, EXPORTER_AND_OWN, FLOOR, other } from './contestants.mjs';

const USUAL = {
  rounds: 5,
  warmUpSeconds: 6,
  warmUpScrapes: 5_000,
  seconds: 2,
  streamSeconds: 5,
  fleetSeconds: 60,
  fleetRounds: 3,
  scrapes: 100_000,
};
const QUICK = {
  rounds: 2,
  warmUpSeconds: 1,
  warmUpScrapes: 1_000,
  seconds: 1,
  streamSeconds: 2,
  fleetSeconds: 5,
  fleetRounds: 1,
  scrapes: 10_000,
};

/** @typedef {ReturnType<typeof parseSettings>} Settings */

/** @param {string[]} args */
export function parseSettings(args) {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: 'load,start,runners,fleet' },
      other: { type: 'string', multiple: true, default: [] },
      'other-proxy': { type: 'string', multiple: true, default: [] },
      pid: { type: 'string', multiple: true, default: [] },
      'ollama-port': { type: 'string', default: '0' },
      output: { type: 'string', default: 'bench/results.json' },
    },
  });
  const { quick, only, output, 'ollama-port': ollamaPort } = values;
  const running = (/** @type {string} */ text) => {
    const [name = '', url = ''] = text.split(/=(.+)/);
    const pid = values.pid.find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1);
    return { name, url, pid: pid === undefined ? undefined : Number(pid) };
  };
  const others = values.other.map(running).map(({ name, url, pid }) => other(name, url, pid));
  const contestants = [FLOOR, EXPORTER, EXPORTER_AND_OWN, ...others];
  const otherProxies = values['other-proxy'].map(running);
  return {
    ...(quick ? QUICK : USUAL),
    quick,
    sections: only.split(','),
    contestants,
    otherProxies,
    ollamaPort,
    output,
  };
}
