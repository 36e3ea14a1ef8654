/**
 * One room as this page sees it: the RoomView kept up to date by patches, partial captions, devices of the members, media slots.
 *
 * Holds no domain logic: everything shown is either the server's view or ephemeral. Used by the participant's page and by the monitor.
 */
import { batch, signal } from '@preact/signals';
import type { Caption, EventPayload, LiveMember, RoomView, ServerMessage, SlotView, Update } from '../protocol/types';
import { mergePatch } from './patch';

const PARTIAL_SECONDS = 20;

export interface RoomEvent {
  seq: number;
  at: number;
  actor: string;
  payload: EventPayload;
}
export type Partial_ = Caption & { heard: number };

export class RoomFeed {
  readonly view = signal<RoomView | null>(null);
  readonly partials = signal<Record<string, Partial_>>({});
  readonly live = signal<Record<string, LiveMember>>({});
  readonly slots = signal<readonly SlotView[]>([]);
  readonly quality = signal<{ level: string; why: string } | null>(null);
  lastSeq = 0;
  onEvents: (events: RoomEvent[], view: RoomView) => void = () => {};
  onRoom: (roomId: string) => void = () => {};
  /** Called when an update does not follow what is held: the page has to ask for the whole room again. */
  onGap: () => void = () => {};

  receive(message: ServerMessage): void {
    switch (message.type) {
      case 'update':
        return this.update(message);
      case 'caption':
        if (this.view.value?.utterances[message.utterance_id]) return;
        this.partials.value = { ...this.partials.value, [message.participant_id]: { ...message, heard: Date.now() } };
        return;
      case 'live':
        this.live.value = { ...this.live.value, ...message.members };
        return;
      case 'media.slots':
        this.slots.value = message.slots;
        return;
      case 'media.quality':
        this.quality.value = message;
    }
  }

  /** Forget the room: another one will come. */
  leave(): void {
    batch(() => {
      this.view.value = null;
      this.lastSeq = 0;
      this.partials.value = {};
      this.live.value = {};
      this.slots.value = [];
    });
  }

  private update(message: Update): void {
    const held = this.view.value;
    const anew = message.from_seq === 0;
    if (!anew && (!held || held.room_id !== message.room_id || message.from_seq !== this.lastSeq)) {
      this.lastSeq = 0;
      this.onGap();
      return;
    }
    const view = mergePatch(anew ? {} : held, message.patch) as RoomView;
    const another = held?.room_id !== view.room_id;
    batch(() => {
      this.lastSeq = message.seq;
      this.view.value = view;
      if (another) {
        this.partials.value = {};
        this.live.value = {};
      } else this.partials.value = openPartials(this.partials.value, view, Date.now());
    });
    if (another) this.onRoom(view.room_id);
    if (!anew && message.events.length > 0) this.onEvents(message.events as unknown as RoomEvent[], view);
  }
}

/** The partial captions that no final utterance has replaced yet and that are still being spoken. */
export function openPartials(partials: Record<string, Partial_>, view: RoomView, now: number): Record<string, Partial_> {
  const kept = Object.entries(partials).filter(([, p]) => !view.utterances[p.utterance_id] && now - p.heard < PARTIAL_SECONDS * 1000);
  return kept.length === Object.keys(partials).length ? partials : Object.fromEntries(kept);
}
