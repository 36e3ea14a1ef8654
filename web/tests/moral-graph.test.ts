import { describe, expect, it } from 'vitest';
import type { Found } from '../src/outcome/data';
import { graphFile, layout, type MoralGraph } from '../src/outcome/moral-graph';
import type { OutcomeItem, Outcomes } from '../src/protocol/types';

const values = ['top', 'left', 'right', 'low'].map((value) => ({ value }));
const edges = [
  { source: 'left', to: 'top' },
  { source: 'right', to: 'top' },
  { source: 'low', to: 'left' },
  { source: 'top', to: 'low' },
];

describe('the drawn graph', () => {
  it('puts whoever was found wiser higher, also where answers go in a circle', () => {
    const { places } = layout(values, edges);
    const y = (name: string) => places.get(name)?.[1] ?? -1;
    expect(y('top')).toBeLessThan(y('left'));
    expect(y('left')).toBe(y('right'));
    expect(y('low')).toBeGreaterThan(y('left'));
  });

  it('is the same each time and keeps every circle inside and apart', () => {
    const many = Array.from({ length: 40 }, (_, index) => ({ value: `v${index}` }));
    const star = many.slice(1).map((one) => ({ source: one.value, to: 'v0' }));
    const { places, width, height } = layout(many, star);
    expect(layout(many, star).places).toEqual(places);
    const all = [...places.values()];
    for (const [x, y] of all) {
      expect(x).toBeGreaterThan(4);
      expect(x).toBeLessThan(width - 4);
      expect(y).toBeLessThan(height - 4);
    }
    const nearest = Math.min(...all.flatMap(([x, y], i) => all.slice(i + 1).map(([u, v]) => Math.hypot(x - u, y - v))));
    expect(nearest).toBeGreaterThan(9);
  });
});

describe('the file of the graph', () => {
  it('has values with their words, shown edges with their counts, and contexts', () => {
    const item = (id: string, text: string, parent = ''): OutcomeItem =>
      ({ id, kind: 'value', text, parent, details: { attends: 'a\nb', contexts: 'when ill' }, quotes: [], rooms: [1], rounds: [1], origin: 'participant', scale: null, low: '', high: '', content_hash: '' }) as OutcomeItem;
    const items = [item('v1', 'Calm'), item('v2', 'Peace', 'v1'), item('v3', 'Cheer')];
    const found = { outcomes: { id: 'x', question: 'Q?', items } as unknown as Outcomes, item: () => undefined, text: (id: string) => id, votes: new Map() } as Found;
    const edge = { source: 'v1', to: 'v3', contexts: ['when ill'], wiser: 4, not_wiser: 1, unsure: 0, less_wise: 0, likelihood: 0.8, entropy: 0.72, kept: true, people: 5 };
    const figures = { people: 5, values: [{ value: 'v3', title: 'Cheer', score: 0.2, contexts: [] }], edges: [edge, { source: 'v3', to: 'v1', people: null, suppressed: true }], proposals: [], preferences: [] } as unknown as MoralGraph;
    const file = JSON.parse(graphFile(found, figures));
    expect(file.values.map((one: { id: string; same_as: string | null; score: number | null }) => [one.id, one.same_as, one.score])).toEqual([['v1', null, null], ['v2', 'v1', null], ['v3', null, 0.2]]);
    expect(file.values[0].attends).toEqual(['a', 'b']);
    expect(file.edges).toEqual([edge]);
    expect(file.contexts).toEqual(['when ill']);
  });
});
