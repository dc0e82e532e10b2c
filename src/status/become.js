/** Updates a part of the page in place. Inlined into the page. */

/**
 * Changes only what differs, so that focus, selection, scroll position and open details are kept.
 *
 * @param {Element} old
 * @param {Element} fresh
 */
export function become(old, fresh) {
  becomeAttributes(old, fresh);
  if (old.firstElementChild?.hasAttribute('data-key')) {
    align(old, fresh);
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
 * @param {Element} old
 * @param {Element} fresh
 */
function becomeAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    // Whether details are open is the reader's choice.
    if (!fresh.hasAttribute(name) && name !== 'open') {
      old.removeAttribute(name);
    }
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) {
      old.setAttribute(name, value);
    }
  }
}

/**
 * Children with keys: removes old ones, inserts new ones, and moves the others.
 *
 * @param {Element} old
 * @param {Element} fresh
 */
function align(old, fresh) {
  const wanted = new Set([...fresh.children].map(keyOf));
  const there = new Map([...old.children].map((child) => [keyOf(child), child]));
  for (const [key, child] of there) {
    if (!wanted.has(key)) {
      child.remove();
    }
  }
  for (const [index, child] of [...fresh.children].entries()) {
    const at = old.children[index];
    const own = there.get(keyOf(child)) ?? child.cloneNode(true);
    if (own !== at) {
      old.insertBefore(own, at ?? null);
    }
  }
}

/** @param {Element} child */
function keyOf(child) {
  return child.getAttribute('data-key');
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
