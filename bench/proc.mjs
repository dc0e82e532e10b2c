/** Reads from /proc what a process has used until now. */
import { readFileSync } from 'node:fs';

/** Linux counts in hundredths of a second towards user space (USER_HZ), whatever the kernel's own tick is. */
const TICKS_PER_SECOND = 100;

/**
 * @param {string} stat content of /proc/PID/stat: the command's name, in parentheses, may hold spaces and parentheses
 * @returns {number} seconds of CPU, in user and kernel mode, of all threads
 */
export function parseCpuSeconds(stat) {
  // The third field, the state, is the first one behind the name: proc(5).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/**
 * @param {string} status content of /proc/PID/status
 * @returns {number} bytes
 */
export function parseRssBytes(status) {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
}

/**
 * @param {string} status content of /proc/PID/status
 * @returns {number} bytes
 */
export function parsePeakRssBytes(status) {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
}

/** @param {number} pid */
export function cpuSeconds(pid) {
  return parseCpuSeconds(readFileSync(`/proc/${pid}/stat`, 'latin1'));
}

/** @param {number} pid */
export function rssBytes(pid) {
  return parseRssBytes(readFileSync(`/proc/${pid}/status`, 'latin1'));
}

/** @param {number} pid */
export function peakRssBytes(pid) {
  return parsePeakRssBytes(readFileSync(`/proc/${pid}/status`, 'latin1'));
}
