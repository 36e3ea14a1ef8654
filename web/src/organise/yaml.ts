/** Writes a design as YAML: the file that the form and the text field share. Every YAML reader takes it, and people can go on from there. */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Given = { [key: string]: Json };

/** A design as YAML. Empty texts, lists and objects are left out: they are the defaults. */
export function yamlOf(design: Given): string {
  return block(pruned(design) as Given, 0);
}

function block(value: Given, indent: number): string {
  return Object.entries(value)
    .map(([key, one]) => `${' '.repeat(indent)}${word(key)}:${after(one, indent)}`)
    .join('');
}

/** What follows a key's colon, with its line end. */
function after(value: Json, indent: number): string {
  if (Array.isArray(value)) {
    if (value.every((one) => typeof one !== 'object' || one === null)) return `\n${value.map((one) => `${' '.repeat(indent + 2)}- ${scalar(one, indent + 2)}\n`).join('')}`;
    return `\n${value.map((one) => item(one, indent + 2)).join('')}`;
  }
  if (typeof value === 'object' && value !== null) return `\n${block(value, indent + 2)}`;
  return ` ${scalar(value, indent)}\n`;
}

/** An object in a list: its first key stands beside the dash. */
function item(value: Json, indent: number): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return `${' '.repeat(indent)}- ${JSON.stringify(value)}\n`;
  return `${' '.repeat(indent)}- ${block(value, indent + 2).slice(indent + 2)}`;
}

function scalar(value: Json, indent: number): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  if (value.includes('\n')) return `|-\n${value.replace(/\s+$/, '').split('\n').map((line) => (line ? ' '.repeat(indent + 2) + line : '')).join('\n')}`;
  return word(value);
}

/** A text as it is where YAML cannot take it for anything else, in quotes otherwise. JSON's quotes are YAML's. */
function word(text: string): string {
  const plain = /^[\p{L}][\p{L}\p{N} _/.,;()’'?!%+-]*$/u.test(text) && !/^(true|false|yes|no|on|off|null|y|n)$/i.test(text) && !/\s$/.test(text);
  return plain ? text : JSON.stringify(text);
}

function pruned(value: Json): Json | undefined {
  if (value === null || value === '') return undefined;
  if (Array.isArray(value)) {
    const kept = value.map(pruned).filter((one): one is Json => one !== undefined);
    return kept.length > 0 ? kept : undefined;
  }
  if (typeof value !== 'object') return value;
  const kept = Object.entries(value).flatMap(([key, one]) => {
    const left = key === 'minutes' || key === 'seconds' || key === 'language' ? one : pruned(one); // null says something there
    return left === undefined ? [] : [[key, left] as const];
  });
  return kept.length > 0 ? Object.fromEntries(kept) : undefined;
}
