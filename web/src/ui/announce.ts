/** Tells screen readers what changed, politely: one region, one sentence after the other. */
import { signal } from '@preact/signals';

export const announcement = signal('');
const waiting: string[] = [];
let running = false;

export function announce(text: string): void {
  waiting.push(text);
  if (waiting.length > 5) waiting.shift();
  if (!running) next();
}

function next(): void {
  const text = waiting.shift();
  running = text !== undefined;
  if (text === undefined) return;
  announcement.value = text;
  setTimeout(next, 1500);
}
