/**
 * Reads out what others contribute in writing, with their names, in the language it is written in.
 *
 * One at a time, and only while nobody speaks. The microphone is held meanwhile: what this page reads must never be heard as its owner's speech.
 * Where the browser has no voice nothing is read and nothing held; the words stand in the captions anyway.
 */
import { signal } from '@preact/signals';
import { read, write } from '../net/tokens';

export interface Words {
  name: string;
  text: string;
  language: string;
}

const WAITING = 5; // the oldest is dropped
const LONGEST_WAIT = 20; // seconds that somebody's speech may keep it waiting
const PAUSE = 400;

export class ReadAloud {
  readonly on = signal(read(localStorage, 'parley.readAloud') !== 'off');
  /** Whose words are being read. */
  readonly reading = signal<string | null>(null);
  private waiting: Words[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private waited = 0;

  constructor(
    private readonly hold: (held: boolean) => void,
    private readonly somebodySpeaks: () => boolean,
  ) {
    globalThis.speechSynthesis?.getVoices(); // lets browsers that load voices late begin
  }

  set(on: boolean): void {
    this.on.value = on;
    write(localStorage, 'parley.readAloud', on ? null : 'off');
    if (!on) this.stop();
  }

  add(words: Words): void {
    if (!this.on.value || !globalThis.speechSynthesis || speechSynthesis.getVoices().length === 0) return;
    this.waiting = [...this.waiting, words].slice(-WAITING);
    this.next();
  }

  /** Be quiet at once, and forget what waits. */
  stop(): void {
    this.waiting = [];
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.reading.value !== null) speechSynthesis.cancel();
    this.done();
  }

  private next(): void {
    if (this.reading.value !== null || this.timer !== undefined || this.waiting.length === 0) return;
    if (this.somebodySpeaks() && this.waited < LONGEST_WAIT * 1000) {
      this.waited += PAUSE;
      this.timer = setTimeout(() => {
        this.timer = undefined;
        this.next();
      }, PAUSE);
      return;
    }
    this.waited = 0;
    const words = this.waiting.shift();
    if (!words) return;
    const speech = new SpeechSynthesisUtterance(`${words.name}: ${words.text}`);
    speech.lang = words.language;
    speech.onend = speech.onerror = () => this.done();
    this.reading.value = words.name;
    this.hold(true);
    speechSynthesis.speak(speech);
    // Some browsers never say that they are done.
    this.timer = setTimeout(() => this.stop(), 5000 + 150 * words.text.length);
  }

  private done(): void {
    if (this.reading.value === null) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.reading.value = null;
    this.hold(false);
    this.next();
  }
}
