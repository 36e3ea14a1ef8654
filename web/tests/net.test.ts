import { describe, expect, it } from 'vitest';
import { backoff } from '../src/net/backoff';
import { openPartials, type Partial_, RoomFeed } from '../src/net/feed';
import { mergePatch } from '../src/net/patch';
import type { RoomView, Update } from '../src/protocol/types';

describe('merge patch (RFC 7396)', () => {
  const cases: Array<[unknown, unknown, unknown]> = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [['a', 'b'], ['c', 'd'], ['c', 'd']],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  it.each(cases)('%j patched with %j is %j', (target, patch, result) => expect(mergePatch(target, patch)).toEqual(result));

  it('keeps what the patch does not touch, and never changes its target', () => {
    const target = { members: { p1: { name: 'A' } }, queue: [1] };
    const result = mergePatch(target, { queue: [2] }) as typeof target;
    expect(result.members).toBe(target.members);
    expect(target.queue).toEqual([1]);
  });
});

describe('backoff', () => {
  it('waits 0.5, 1, 2 seconds, then four each time', () => {
    expect([0, 1, 2, 3, 4, 50].map((attempt) => backoff(attempt, () => 0.5))).toEqual([500, 1000, 2000, 4000, 4000, 4000]);
  });
  it('spreads by a quarter either way', () => {
    expect(backoff(1, () => 0)).toBe(750);
    expect(backoff(1, () => 1)).toBe(1250);
  });
});

describe('partial captions', () => {
  const partial = (utterance_id: string, heard: number): Partial_ => ({ type: 'caption', participant_id: 'p1', utterance_id, started_at: 0, solid: 'a', tail: '', heard });
  const view = (utterances: object) => ({ utterances }) as RoomView;

  it('go when their final utterance has come', () => {
    expect(openPartials({ p1: partial('u1', 0) }, view({ u1: {} }), 1000)).toEqual({});
  });
  it('go when nothing more is heard of them', () => {
    expect(openPartials({ p1: partial('u1', 0) }, view({}), 21_000)).toEqual({});
  });
  it('stay the same object while nothing changes', () => {
    const partials = { p1: partial('u1', 0) };
    expect(openPartials(partials, view({}), 1000)).toBe(partials);
  });
});

describe('a room kept up to date', () => {
  const update = (from_seq: number, seq: number, patch: Update['patch'], room_id = 'r1'): Update => ({ type: 'update', room_id, from_seq, seq, events: [], patch });
  const whole = (room_id = 'r1') => update(0, 3, { room_id, members: {}, utterances: {} }, room_id);

  it('takes a whole view, then what follows it', () => {
    const feed = new RoomFeed();
    feed.receive(whole());
    feed.receive(update(3, 4, { utterances: { u1: { text: 'Yes' } } }));
    expect(feed.lastSeq).toBe(4);
    expect(feed.view.value?.utterances['u1']?.text).toBe('Yes');
  });

  it('asks for the whole room again when an update does not follow, and shows nothing of it', () => {
    const feed = new RoomFeed();
    let gaps = 0;
    feed.onGap = () => gaps++;
    feed.receive(update(2, 3, { title: 'unknown before' }));
    feed.receive(whole());
    feed.receive(update(5, 6, { title: 'after a gap' }));
    expect([gaps, feed.lastSeq, feed.view.value?.title]).toEqual([2, 0, undefined]);
  });

  it('forgets the partial captions of the room it leaves', () => {
    const feed = new RoomFeed();
    const rooms: string[] = [];
    feed.onRoom = (room) => rooms.push(room);
    feed.receive(whole());
    feed.receive({ type: 'caption', participant_id: 'p1', utterance_id: 'u1', started_at: 0, solid: 'I', tail: 'think' });
    feed.receive(whole('r2'));
    expect([rooms, feed.partials.value]).toEqual([['r1', 'r2'], {}]);
  });

  it('shows no partial caption of what is final already', () => {
    const feed = new RoomFeed();
    feed.receive(update(0, 1, { room_id: 'r1', utterances: { u1: {} } }));
    feed.receive({ type: 'caption', participant_id: 'p1', utterance_id: 'u1', started_at: 0, solid: 'late', tail: '' });
    expect(feed.partials.value).toEqual({});
  });
});
