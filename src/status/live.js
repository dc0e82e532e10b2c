/** Keeps the page up to date while somebody looks at it. Inlined into it, after until.js. */
import { until } from './until.js';

const REFRESH_MS = 5_000;
const PATIENCE_MS = 15_000;

const main = element('main');
const connection = element('#connection');

/** When the numbers that are shown came in, by this browser's clock. */
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
setInterval(countDown, 1_000);
next = setTimeout(refresh, REFRESH_MS);

async function refresh() {
  clearTimeout(next);
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const response = await fetch(location.href, { cache: 'no-store', signal });
    const page = new DOMParser().parseFromString(await response.text(), 'text/html');
    const fresh = page.querySelector('main');
    if (!response.ok || fresh === null) {
      throw new Error(`answers with status ${response.status}`);
    }
    loadedAt = Date.now();
    problem = undefined;
    become(main, fresh);
    filter();
  } catch (error) {
    const answered = error instanceof Error && error.message.startsWith('answers');
    problem = answered ? error.message : 'does not answer';
  }
  countDown();
  if (document.visibilityState === 'visible') {
    next = setTimeout(refresh, REFRESH_MS);
  }
}

/** Each second: what is left of each model's time, and how old the numbers are if no new ones come. */
function countDown() {
  const seconds = (Date.now() - loadedAt) / 1_000;
  for (const cell of main.querySelectorAll('[data-seconds]')) {
    write(cell, until(Number(cell.getAttribute('data-seconds')) - seconds));
  }
  connection.hidden = problem === undefined;
  if (problem !== undefined) {
    const time = new Date(loadedAt).toLocaleTimeString();
    write(
      connection,
      `The exporter ${problem}. What is shown is from ${time}, ${Math.round(seconds)} s ago.`,
    );
  }
}

/**
 * Changes only what differs, so that focus, selection and scroll stay as they are.
 *
 * @param {Element} old
 * @param {Element} fresh
 */
function become(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name)) {
      old.removeAttribute(name);
    }
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) {
      old.setAttribute(name, value);
    }
  }
  const wanted = [...fresh.childNodes];
  for (const [index, child] of wanted.entries()) {
    const there = old.childNodes[index];
    if (there === undefined) {
      old.append(child);
    } else {
      becomeNode(there, child);
    }
  }
  while (old.childNodes.length > wanted.length) {
    old.lastChild?.remove();
  }
}

/**
 * @param {ChildNode} old
 * @param {ChildNode} fresh
 */
function becomeNode(old, fresh) {
  if (old instanceof Element && fresh instanceof Element && old.tagName === fresh.tagName) {
    become(old, fresh);
  } else if (old instanceof Text && fresh instanceof Text) {
    if (old.data !== fresh.data) {
      old.replaceData(0, old.length, fresh.data);
    }
  } else {
    old.replaceWith(fresh);
  }
}

/** Shows the rows that hold what the box does. */
function filter() {
  const box = main.querySelector('#filter input');
  const wanted = box instanceof HTMLInputElement ? box.value.trim().toLowerCase() : '';
  const rows = [...main.querySelectorAll('tbody tr')];
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

/** @param {Event} event */
async function copy({ target }) {
  const digest = target instanceof HTMLElement ? target.dataset['copy'] : undefined;
  if (digest === undefined || !(target instanceof HTMLElement)) {
    return;
  }
  // The clipboard is there only behind TLS or on this machine; else the digest is selected, ready for Ctrl+C.
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
