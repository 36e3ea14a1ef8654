const FIRST_SECONDS = [0.5, 1, 2];
const THEN_SECONDS = 4;
const JITTER = 0.25;

/** Milliseconds to wait before reconnecting for the `attempt`th time (from 0): 0.5, 1, 2 s, then every 4 s, each ±25 %. */
export function backoff(attempt: number, random: () => number = Math.random): number {
  const seconds = FIRST_SECONDS[attempt] ?? THEN_SECONDS;
  return Math.round(seconds * 1000 * (1 + JITTER * (2 * random() - 1)));
}
