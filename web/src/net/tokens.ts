/** Where links' tokens live: the one of a link in this tab only, a participant's own in this browser, so that coming back means the same seat. */

/** Take the token out of the address (`#k=…`), keep it for this tab under `name`, and return it (or the one kept earlier). */
export function linkToken(name: string): string | null {
  const given = new URLSearchParams(location.hash.slice(1)).get('k');
  if (given) {
    write(sessionStorage, `parley.link.${name}`, given);
    history.replaceState(null, '', location.pathname + location.search);
  }
  return given ?? read(sessionStorage, `parley.link.${name}`);
}

export const seatToken = {
  get: (deliberation: string): string | null => read(localStorage, `parley.seat.${deliberation}`),
  set: (deliberation: string, token: string): void => write(localStorage, `parley.seat.${deliberation}`, token),
  clear: (deliberation: string): void => write(localStorage, `parley.seat.${deliberation}`, null),
};

/** Names this page: kept over a reload, and new in every other case, so that a duplicated tab is not taken for its original. */
export function clientId(): string {
  const entry = performance.getEntriesByType('navigation')[0] as PerformanceNavigationTiming | undefined;
  const id = (entry?.type === 'reload' && read(sessionStorage, 'parley.client')) || crypto.randomUUID();
  write(sessionStorage, 'parley.client', id);
  return id;
}

export function read(storage: Storage, key: string): string | null {
  try {
    return storage.getItem(key);
  } catch {
    return null; // storage may be forbidden: everything then lasts as long as the page
  }
}

export function write(storage: Storage, key: string, value: string | null): void {
  try {
    if (value === null) storage.removeItem(key);
    else storage.setItem(key, value);
  } catch {
    /* as above */
  }
}
