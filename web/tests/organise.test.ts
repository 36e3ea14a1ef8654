import { describe, expect, it } from 'vitest';
import { moment, wallTime } from '../src/organise/zone';
import { type Given, yamlOf } from '../src/organise/yaml';

describe('yamlOf', () => {
  it('writes nested lists and objects as one would', () => {
    const design: Given = { title: 'Trams', stages: [{ id: 'talk', title: 'Talk', minutes: 5 }, { id: 'b', kind: 'ballot', ballot: { rule: 'irv', options: ['Red', 'Green'] } }], privacy: { mode: 'pseudonym', record_audio: false } };
    expect(yamlOf(design)).toBe(
      'title: Trams\nstages:\n  - id: talk\n    title: Talk\n    minutes: 5\n  - id: b\n    kind: ballot\n    ballot:\n      rule: irv\n      options:\n        - Red\n        - Green\nprivacy:\n  mode: pseudonym\n  record_audio: false\n',
    );
  });
  it('quotes what could be taken for something else', () => {
    expect(yamlOf({ a: 'yes', b: '1', c: 'x: y', d: '# no', e: ' lead', f: 'it’s fine', g: '- dash', h: 'null' })).toBe('a: "yes"\nb: "1"\nc: "x: y"\nd: "# no"\ne: " lead"\nf: it’s fine\ng: "- dash"\nh: "null"\n');
  });
  it('keeps paragraphs', () => {
    expect(yamlOf({ briefing: [{ title: 'T', text: 'One.\n\nTwo.' }] })).toBe('briefing:\n  - title: T\n    text: |-\n      One.\n\n      Two.\n');
  });
  it('leaves out what is empty, but not a stage without a time limit', () => {
    expect(yamlOf({ title: '', poll: [], consent: { contact: '' }, stages: [{ minutes: null }] })).toBe('stages:\n  - minutes: null\n');
  });
});

describe('moments', () => {
  it('have the offset of their own day', () => {
    expect(moment('2027-03-01T18:00', 'Europe/Berlin')).toBe('2027-03-01T18:00:00+01:00');
    expect(moment('2027-07-01T18:00', 'Europe/Berlin')).toBe('2027-07-01T18:00:00+02:00');
    expect(moment('2027-07-01T18:00', 'America/St_Johns')).toBe('2027-07-01T18:00:00-02:30');
    expect(moment('', 'UTC')).toBe('');
  });
  it('are read back in any zone', () => {
    expect(wallTime('2027-03-01T18:00+01:00', 'Europe/Berlin')).toBe('2027-03-01T18:00');
    expect(wallTime('2027-03-01T18:00+01:00', 'Asia/Tokyo')).toBe('2027-03-02T02:00');
    expect(wallTime('nonsense', 'UTC')).toBe('');
  });
  it('skip what a clock change skips', () => {
    expect(moment('2027-03-28T02:30', 'Europe/Berlin')).toBe('2027-03-28T03:30:00+02:00');
  });
});
