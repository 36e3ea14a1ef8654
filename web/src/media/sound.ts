/** What this page plays: the others' audio lines, on the chosen output, and the speaker test. Blocked autoplay is told by `blocked`. */
import { effect, signal, type Signal } from '@preact/signals';

type Sink = HTMLAudioElement & { setSinkId?: (id: string) => Promise<void> };

export const canChooseOutput = 'setSinkId' in HTMLMediaElement.prototype;

export class Sound {
  readonly blocked = signal(false);
  private sinks = new Map<string, Sink>();

  constructor(private readonly output: Signal<string>) {
    effect(() => {
      const id = output.value;
      for (const sink of this.sinks.values()) void sink.setSinkId?.(id).catch(() => undefined);
    });
  }

  /** Play a track under a name; another track under the same name replaces it. */
  play(name: string, track: MediaStreamTrack): void {
    const sink: Sink = this.sinks.get(name) ?? new Audio();
    this.sinks.set(name, sink);
    sink.srcObject = new MediaStream([track]);
    if (this.output.value) void sink.setSinkId?.(this.output.value).catch(() => undefined);
    this.start(sink);
  }

  /** After a click: browsers let sound start only then. */
  unblock(): void {
    this.blocked.value = false;
    for (const sink of this.sinks.values()) this.start(sink);
  }

  silence(): void {
    for (const sink of this.sinks.values()) sink.srcObject = null;
    this.sinks.clear();
  }

  private start(sink: Sink): void {
    sink.play().catch((error: unknown) => {
      if (error instanceof DOMException && error.name === 'NotAllowedError') this.blocked.value = true;
    });
  }
}

/** Play three soft rising tones on an output; resolves when they are over. */
export async function playTest(output: string): Promise<void> {
  const context = new AudioContext();
  const target = context.createMediaStreamDestination();
  const sink: Sink = new Audio();
  sink.srcObject = target.stream;
  if (output) await sink.setSinkId?.(output).catch(() => undefined);
  await sink.play();
  [392, 494, 587].forEach((frequency, index) => {
    const start = context.currentTime + 0.1 + index * 0.32;
    const tone = new OscillatorNode(context, { frequency, type: 'sine' });
    const level = new GainNode(context, { gain: 0 });
    level.gain.setValueAtTime(0, start);
    level.gain.linearRampToValueAtTime(0.25, start + 0.04);
    level.gain.linearRampToValueAtTime(0, start + 0.3);
    tone.connect(level).connect(target);
    tone.start(start);
    tone.stop(start + 0.32);
  });
  await new Promise((resolve) => setTimeout(resolve, 1300));
  sink.srcObject = null;
  await context.close();
}

/** The loudness of a track, 0..1, about 15 times a second, until the returned function is called. */
export function watchLevel(track: MediaStreamTrack, report: (level: number) => void): () => void {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 512;
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
    const decibels = 10 * Math.log10(power + 1e-9);
    report(Math.min(1, Math.max(0, (decibels + 60) / 50)));
  }, 66);
  return () => {
    clearInterval(timer);
    void context.close();
  };
}
