/**
 * Plays a room's recordings in room time: one file per consenting participant, each from its own offset, kept together by one clock.
 * Pictures follow the same clock, without sound of their own.
 * Waveforms are the loudest samples of equal slices, decoded once.
 */
import { computed, signal } from '@preact/signals';
import { request } from '../net/api';
import type { AudioFile } from '../protocol/types';

export const SLICES = 600;
const DRIFT_SECONDS = 0.25;

export interface Lane {
  participant: string;
  offset: number;
  element: HTMLAudioElement;
  duration: number;
  /** Loudness 0..1 of equal slices of the file. */
  peaks: readonly number[];
}

export interface Picture {
  participant: string;
  offset: number;
  element: HTMLVideoElement;
}

export class Player {
  readonly pictures = signal<readonly Picture[]>([]);
  readonly lanes = signal<readonly Lane[]>([]);
  readonly time = signal(0);
  readonly playing = signal(false);
  readonly muted = signal<ReadonlySet<string>>(new Set());
  readonly duration = computed(() => this.lanes.value.reduce((end, lane) => Math.max(end, lane.offset + lane.duration), 0));
  private frame = 0;
  private last = 0;
  private urls: string[] = [];

  async load(room: string, files: readonly AudioFile[], token: string | null): Promise<void> {
    const context = new OfflineAudioContext(1, 1, 16_000);
    const lanes: Lane[] = [];
    for (const file of files) {
      const response = await request('GET', `/api/rooms/${encodeURIComponent(room)}/audio/${encodeURIComponent(file.file)}`, token);
      const blob = await response.blob();
      if (file.picture) {
        this.show(file, blob);
        continue;
      }
      const decoded = await context.decodeAudioData(await blob.arrayBuffer());
      const url = URL.createObjectURL(blob);
      this.urls.push(url);
      const element = new Audio(url);
      element.preload = 'auto';
      lanes.push({ participant: file.participant_id, offset: file.offset_seconds, element, duration: decoded.duration, peaks: peaks(decoded.getChannelData(0), SLICES) });
      this.lanes.value = [...lanes];
    }
  }

  private show(file: AudioFile, blob: Blob): void {
    const url = URL.createObjectURL(blob);
    this.urls.push(url);
    const element = document.createElement('video');
    element.muted = true;
    element.playsInline = true;
    element.preload = 'auto';
    element.src = url;
    this.pictures.value = [...this.pictures.value, { participant: file.participant_id, offset: file.offset_seconds, element }];
  }

  toggle(): void {
    if (this.playing.value) this.pause();
    else this.play();
  }

  play(): void {
    if (this.time.value >= this.duration.value) this.time.value = 0;
    this.playing.value = true;
    this.last = performance.now();
    this.frame = requestAnimationFrame(this.step);
  }

  pause(): void {
    this.playing.value = false;
    cancelAnimationFrame(this.frame);
    for (const { element } of [...this.lanes.value, ...this.pictures.value]) element.pause();
  }

  seek(seconds: number): void {
    this.time.value = Math.min(Math.max(0, seconds), this.duration.value);
    this.align(true);
  }

  mute(participant: string, on: boolean): void {
    const next = new Set(this.muted.value);
    if (on) next.add(participant);
    else next.delete(participant);
    this.muted.value = next;
    for (const lane of this.lanes.value) lane.element.muted = next.has(lane.participant);
  }

  close(): void {
    this.pause();
    for (const url of this.urls.splice(0)) URL.revokeObjectURL(url);
    this.lanes.value = [];
    this.pictures.value = [];
  }

  private step = (at: number): void => {
    this.time.value += Math.max(0, at - this.last) / 1000;
    this.last = at;
    if (this.time.value >= this.duration.value) return this.pause();
    this.align(false);
    this.frame = requestAnimationFrame(this.step);
  };

  private align(hard: boolean): void {
    for (const lane of this.lanes.value) {
      const own = this.time.value - lane.offset;
      const inside = own >= 0 && own < lane.duration;
      if (!inside || !this.playing.value) {
        lane.element.pause();
        continue;
      }
      if (hard || Math.abs(lane.element.currentTime - own) > DRIFT_SECONDS) lane.element.currentTime = own;
      if (lane.element.paused) void lane.element.play().catch(() => this.pause());
    }
    for (const { offset, element } of this.pictures.value) {
      const own = Math.max(0, this.time.value - offset);
      const inside = this.time.value >= offset && !(own >= element.duration);
      if (hard || (inside && !element.seeking && Math.abs(element.currentTime - own) > DRIFT_SECONDS)) element.currentTime = own;
      if (!inside || !this.playing.value) element.pause();
      else if (element.paused) void element.play().catch(() => undefined);
    }
  }
}

/** The largest magnitude in each of `slices` equal parts of `samples`. */
export function peaks(samples: Float32Array, slices: number): number[] {
  const size = samples.length / slices;
  return Array.from({ length: slices }, (_, index) => {
    let top = 0;
    for (let i = Math.floor(index * size); i < Math.floor((index + 1) * size); i++) top = Math.max(top, Math.abs(samples[i] ?? 0));
    return top;
  });
}
