/**
 * The person's own microphone and camera: which there are, which is chosen, whether it is on, and what is wrong with it.
 *
 * The peer connection only sees `tracks`. An unplugged device falls back to the next one, and says so through `onFallback`.
 */
import { signal } from '@preact/signals';
import { read, write } from '../net/tokens';

export type DeviceProblem = 'denied' | 'absent' | 'busy' | 'insecure' | 'other';
export type Kind = 'audio' | 'video';

const VIDEO: MediaTrackConstraints = { width: { ideal: 640 }, height: { ideal: 360 }, frameRate: { ideal: 24, max: 30 } };
const AUDIO: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };

/** What a failed getUserMedia means for a person. */
export function problemOf(error: unknown): DeviceProblem {
  const name = error instanceof Error || error instanceof DOMException ? error.name : '';
  if (name === 'NotAllowedError' || name === 'SecurityError') return 'denied';
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return 'absent';
  if (name === 'NotReadableError' || name === 'AbortError') return 'busy';
  return 'other';
}

export class Devices {
  readonly microphones = signal<MediaDeviceInfo[]>([]);
  readonly cameras = signal<MediaDeviceInfo[]>([]);
  readonly speakers = signal<MediaDeviceInfo[]>([]);
  readonly tracks = {
    audio: signal<MediaStreamTrack | null>(null),
    video: signal<MediaStreamTrack | null>(null),
  };
  readonly problems = {
    audio: signal<DeviceProblem | null>(null),
    video: signal<DeviceProblem | null>(null),
  };
  /** Whether the person wants it on; the track may still be missing. */
  readonly wanted = {
    audio: signal(read(localStorage, 'parley.audio') !== 'off'),
    video: signal(read(localStorage, 'parley.video') !== 'off'),
  };
  readonly chosen = {
    audio: signal(read(localStorage, 'parley.audio.device') ?? ''),
    video: signal(read(localStorage, 'parley.video.device') ?? ''),
    output: signal(read(localStorage, 'parley.output.device') ?? ''),
  };
  readonly muted = signal(false);
  onFallback: (kind: Kind) => void = () => {};
  private opening: Record<Kind, Promise<void> | null> = { audio: null, video: null };

  constructor() {
    navigator.mediaDevices?.addEventListener('devicechange', () => void this.list());
  }

  /** Open what is wanted. Asks for both at once first, so that the browser prompts once. */
  async start(): Promise<void> {
    const { audio, video } = this.wanted;
    if (audio.value && video.value && !this.tracks.audio.value && !this.tracks.video.value && navigator.mediaDevices) {
      try {
        const stream = await navigator.mediaDevices.getUserMedia({ audio: this.constraints('audio'), video: this.constraints('video') });
        for (const track of stream.getTracks()) this.take(track.kind as Kind, track);
        return void this.list();
      } catch {
        /* one of them fails: find out which */
      }
    }
    await Promise.all([audio.value && this.open('audio'), video.value && this.open('video')]);
    await this.list();
  }

  /** Turn one kind on or off for good (“listening only”, “audio only”); a camera that is off is released. */
  async want(kind: Kind, on: boolean): Promise<void> {
    this.wanted[kind].value = on;
    write(localStorage, `parley.${kind}`, on ? null : 'off');
    if (on) await this.open(kind);
    else this.release(kind);
  }

  async choose(kind: Kind, deviceId: string): Promise<void> {
    this.chosen[kind].value = deviceId;
    write(localStorage, `parley.${kind}.device`, deviceId);
    this.release(kind);
    await this.want(kind, true);
  }

  chooseOutput(deviceId: string): void {
    this.chosen.output.value = deviceId;
    write(localStorage, 'parley.output.device', deviceId);
  }

  /** Mute or unmute: the track stays open and sends silence. */
  mute(muted: boolean): void {
    this.muted.value = muted;
    const track = this.tracks.audio.value;
    if (track) track.enabled = !muted;
  }

  /** Keep the microphone silent for a moment, whatever it is set to. */
  hold(held: boolean): void {
    const track = this.tracks.audio.value;
    if (track) track.enabled = !held && !this.muted.value;
  }

  stop(): void {
    this.release('audio');
    this.release('video');
  }

  async list(): Promise<void> {
    if (!navigator.mediaDevices) return;
    const all = await navigator.mediaDevices.enumerateDevices();
    const named = (kind: MediaDeviceKind) => all.filter((d) => d.kind === kind && d.deviceId !== '');
    this.microphones.value = named('audioinput');
    this.cameras.value = named('videoinput');
    this.speakers.value = named('audiooutput');
  }

  private open(kind: Kind): Promise<void> {
    this.opening[kind] ??= this.openNow(kind).finally(() => (this.opening[kind] = null));
    return this.opening[kind];
  }

  private async openNow(kind: Kind): Promise<void> {
    if (this.tracks[kind].value) return;
    if (!navigator.mediaDevices) {
      this.problems[kind].value = 'insecure'; // browsers hide cameras and microphones from pages without TLS
      return;
    }
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ [kind]: this.constraints(kind) });
      const track = stream.getTracks()[0];
      if (track && this.wanted[kind].value) this.take(kind, track);
      else track?.stop();
    } catch (error) {
      this.problems[kind].value = problemOf(error);
    }
    await this.list();
  }

  private constraints(kind: Kind): MediaTrackConstraints {
    const base = kind === 'audio' ? AUDIO : VIDEO;
    const id = this.chosen[kind].value;
    return id ? { ...base, deviceId: { ideal: id } } : base;
  }

  private take(kind: Kind, track: MediaStreamTrack): void {
    this.problems[kind].value = null;
    if (kind === 'audio') track.enabled = !this.muted.value;
    track.addEventListener('ended', () => {
      if (this.tracks[kind].value !== track) return;
      this.tracks[kind].value = null;
      this.chosen[kind].value = '';
      this.onFallback(kind);
      void this.open(kind);
    });
    this.tracks[kind].value = track;
    const id = track.getSettings().deviceId;
    if (id) this.chosen[kind].value = id;
  }

  private release(kind: Kind): void {
    const track = this.tracks[kind].value;
    this.tracks[kind].value = null;
    this.problems[kind].value = null;
    track?.stop();
  }
}
