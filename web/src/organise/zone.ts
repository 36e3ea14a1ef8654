/** A moment as an organiser names it: a date and a time of day in a time zone. */

export const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone;

export function zones(): string[] {
  const known = Intl.supportedValuesOf('timeZone');
  return known.includes(HERE) ? known : [HERE, ...known];
}

/** `2027-03-01T18:00` in a zone, as ISO 8601 with that day's offset. A time that a clock change skips becomes the one an hour later. */
export function moment(local: string, zone: string): string {
  const wall = /^\d{4}-\d\d-\d\dT\d\d:\d\d$/.test(local) ? Date.parse(`${local}:00Z`) : NaN;
  if (Number.isNaN(wall)) return '';
  let at = wall - offset(wall, zone);
  at = wall - offset(at, zone);
  const minutes = Math.round(offset(at, zone) / 60_000);
  const two = (n: number) => String(Math.floor(Math.abs(n))).padStart(2, '0');
  return `${wallClock(at, zone)}:00${minutes < 0 ? '-' : '+'}${two(Math.abs(minutes) / 60)}:${two(Math.abs(minutes) % 60)}`;
}

/** An ISO moment as the wall clock of a zone shows it, for an input of type `datetime-local`; empty where it is none. */
export function wallTime(iso: string, zone: string): string {
  const at = Date.parse(/[zZ]|[+-]\d\d:?\d\d$/.test(iso) ? iso : `${iso}Z`);
  return Number.isNaN(at) ? '' : wallClock(at, zone);
}

function wallClock(at: number, zone: string): string {
  return new Date(at + offset(at, zone)).toISOString().slice(0, 16);
}

/** By how many milliseconds a zone's clocks are ahead of UTC at a moment. */
function offset(at: number, zone: string): number {
  const parts = new Intl.DateTimeFormat('en-US', { timeZone: zone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' }).formatToParts(at);
  const part = (type: string) => Number(parts.find((one) => one.type === type)?.value);
  return Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second')) - Math.floor(at / 1000) * 1000;
}
