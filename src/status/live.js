/** Refreshes the page while it is visible. Inlined into it, after until.js and become.js. */
import { become } from './become.js';
import { duration, remaining } from './until.js';

const REFRESH_MS = 5_000;
const TIMEOUT_MS = 15_000;

const main = element('main');
const connection = element('#connection');

/** When the current values arrived, by this browser's clock. */
let loadedAt = Date.now();
/** @type {string | undefined} */
let problem;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let next;

document.documentElement.classList.add('js');
document.addEventListener('visibilitychange', () => {
  clearTimeout(next);
  if (document.visibilityState === 'visible') {
    void refresh();
  }
});
main.addEventListener('input', filter);
main.addEventListener('click', copy);
main.addEventListener('click', sort);
setInterval(tick, 1_000);
next = setTimeout(refresh, REFRESH_MS);
tick();

async function refresh() {
  clearTimeout(next);
  const url = location.href;
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(url, { cache: 'no-store', signal });
    const page = new DOMParser().parseFromString(await response.text(), 'text/html');
    const fresh = page.querySelector('main');
    if (!response.ok || fresh === null) {
      throw new Error(`responds with status ${response.status}`);
    }
    if (url !== location.href) {
      // The page was sorted meanwhile, which started a request with the new order.
      return;
    }
    loadedAt = Date.now();
    problem = undefined;
    document.title = page.title;
    become(main, fresh);
    filter();
  } catch (error) {
    if (url !== location.href) {
      return;
    }
    const responded = error instanceof Error && error.message.startsWith('responds');
    problem = responded ? error.message : 'does not respond';
  }
  tick();
  if (document.visibilityState === 'visible') {
    next = setTimeout(refresh, REFRESH_MS);
  }
}

/** Updates the time until each model expires, and the age of the values. Called each second. */
function tick() {
  const seconds = (Date.now() - loadedAt) / 1_000;
  for (const cell of main.querySelectorAll('[data-seconds]')) {
    write(cell, remaining(Number(cell.getAttribute('data-seconds')) - seconds));
  }
  const age = main.querySelector('#age');
  if (age !== null) {
    write(age, `${duration(seconds)} ago`);
  }
  connection.hidden = problem === undefined;
  document.documentElement.classList.toggle('stale', problem !== undefined);
  if (problem !== undefined) {
    showProblem(problem, seconds);
  }
}

/**
 * Keeps the last values on the page, marked as outdated.
 *
 * @param {string} problem
 * @param {number} seconds
 */
function showProblem(problem, seconds) {
  const time = new Date(loadedAt).toLocaleTimeString();
  write(connection, `The exporter ${problem}. Last scrape result: ${time}, ${duration(seconds)} ago.`);
  const pill = main.querySelector('.pill');
  if (pill !== null) {
    pill.className = 'pill unknown';
    write(pill, 'Unknown');
  }
  document.title = `Exporter ${problem}`;
}

/** Shows only the rows that contain the text in the filter. */
function filter() {
  const box = main.querySelector('#filter input');
  const wanted = box instanceof HTMLInputElement ? box.value.trim().toLowerCase() : '';
  const rows = [...main.querySelectorAll('.models tbody tr')];
  const shown = rows.filter((row) => {
    const hidden = !(row.textContent ?? '').toLowerCase().includes(wanted);
    row.toggleAttribute('hidden', hidden);
    return !hidden;
  });
  const count = main.querySelector('#filter [role=status]');
  if (count !== null) {
    write(count, wanted === '' ? '' : `${shown.length} of ${rows.length}`);
  }
}

/**
 * Follows the link of the heading without reloading the page, which would clear the filter.
 *
 * @param {MouseEvent} event
 */
function sort(event) {
  const link = event.target instanceof Element ? event.target.closest('thead a') : null;
  if (link instanceof HTMLAnchorElement && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    history.replaceState(null, '', link.href);
    void refresh();
  }
}

/** @param {Event} event */
async function copy({ target }) {
  const digest = target instanceof HTMLElement ? target.dataset['copy'] : undefined;
  if (digest === undefined || !(target instanceof HTMLElement)) {
    return;
  }
  // The clipboard requires TLS or localhost; otherwise the digest is selected, ready for Ctrl+C.
  const text = target.previousElementSibling;
  try {
    await navigator.clipboard.writeText(digest);
    write(target, 'Copied');
  } catch {
    if (text instanceof Element) {
      getSelection()?.selectAllChildren(text);
    }
    write(target, 'Selected');
  }
  setTimeout(() => write(target, 'Copy'), 2_000);
}

/**
 * @param {Element} where
 * @param {string} text
 */
function write(where, text) {
  if (where.textContent !== text) {
    where.textContent = text;
  }
}

/**
 * @param {string} selector
 * @returns {HTMLElement}
 */
function element(selector) {
  const found = document.querySelector(selector);
  if (!(found instanceof HTMLElement)) {
    throw new Error(`no ${selector} in the page`);
  }
  return found;
}
