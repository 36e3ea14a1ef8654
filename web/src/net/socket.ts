/**
 * The page's one WebSocket: hello, heartbeat, commands with answers, and coming back (0.5, 1, 2 s, then every 4 s, until left).
 *
 * Knows nothing of rooms: messages go to `onMessage`. Commands in flight when the connection is lost are refused with `disconnected`, since
 * nobody knows whether they arrived.
 */
import { signal } from '@preact/signals';
import type { Bye, ClientMessage, Do, Hello, ServerMessage } from '../protocol/types';
import { t } from '../i18n';
import { backoff } from './backoff';
import { Refusal } from './errors';

const PROTOCOL = 1;
const COMMAND_TIMEOUT_MS = 15_000;
const WELCOME_TIMEOUT_MS = 10_000;

/** Seconds that the server's clock is ahead of this one. */
export const clockOffset = signal(0);

/** The server's time, Unix seconds. */
export function serverNow(): number {
  return Date.now() / 1000 + clockOffset.value;
}

export type SocketState = 'connecting' | 'open' | 'waiting' | 'ended';

interface Pending {
  resolve: () => void;
  reject: (error: Refusal) => void;
  timer: ReturnType<typeof setTimeout>;
}

export class Socket {
  readonly state = signal<SocketState>('connecting');
  readonly bye = signal<Bye['reason'] | null>(null);
  /** When the next attempt starts (local milliseconds), while `waiting`. */
  readonly retryAt = signal(0);
  onMessage: (message: ServerMessage) => void = () => {};
  onOpen: () => void = () => {};

  private socket: WebSocket | null = null;
  private attempt = 0;
  private nextId = 1;
  private pending = new Map<number, Pending>();
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private pingTimer: ReturnType<typeof setInterval> | undefined;
  private lastHeard = 0;
  private touched = true;
  private url: string;

  constructor(private readonly hello: () => Omit<Hello, 'type' | 'protocol'>) {
    this.url = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`;
    for (const kind of ['pointerdown', 'keydown']) addEventListener(kind, () => (this.touched = true), { passive: true });
    addEventListener('online', () => this.state.value === 'waiting' && this.retry());
  }

  /** Connect, or connect again at once. */
  retry(): void {
    clearTimeout(this.retryTimer);
    this.bye.value = null;
    this.drop();
    this.state.value = 'connecting';
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.onopen = () => this.post({ type: 'hello', protocol: PROTOCOL, ...this.hello() });
    socket.onmessage = (event) => this.socket === socket && this.receive(JSON.parse(String(event.data)) as ServerMessage);
    socket.onclose = () => this.socket === socket && this.lost();
    this.retryTimer = setTimeout(() => this.socket === socket && this.state.value === 'connecting' && this.lost(), WELCOME_TIMEOUT_MS);
  }

  /** Leave for good; `retry` would come back. */
  end(): void {
    this.state.value = 'ended';
    clearTimeout(this.retryTimer);
    this.drop();
  }

  /** Send without an answer; dropped when there is no connection. */
  send(message: ClientMessage): void {
    if (this.state.value === 'open') this.post(message);
  }

  /** Run a command; resolves when the server has done it, else rejects with its `Refusal`. */
  do(command: Do['command'], roomIds?: string[]): Promise<void> {
    if (this.state.value !== 'open') return Promise.reject(new Refusal('disconnected', t('error.disconnected')));
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.settle(id, new Refusal('timeout', t('error.slow'))), COMMAND_TIMEOUT_MS);
      this.pending.set(id, { resolve, reject, timer });
      this.post({ type: 'do', id, command, ...(roomIds ? { room_ids: roomIds } : {}) });
    });
  }

  private receive(message: ServerMessage): void {
    this.lastHeard = Date.now();
    switch (message.type) {
      case 'welcome':
        this.attempt = 0;
        clearTimeout(this.retryTimer);
        clockOffset.value = message.server_time - Date.now() / 1000;
        this.heartbeat(message.heartbeat_seconds);
        this.state.value = 'open';
        this.onMessage(message);
        this.onOpen();
        return;
      case 'pong': {
        const roundTrip = Date.now() / 1000 - message.sent_at;
        if (roundTrip >= 0 && roundTrip < 2) clockOffset.value = message.server_time + roundTrip / 2 - Date.now() / 1000;
        return;
      }
      case 'ack':
        return this.settle(message.id, null);
      case 'error':
        if (message.id != null && this.pending.has(message.id)) return this.settle(message.id, new Refusal(message.code, message.message, message.hint));
        if (message.retryable && this.state.value !== 'open') return this.lost();
        return this.onMessage(message);
      case 'bye':
        return this.dismissed(message);
      default:
        this.onMessage(message);
    }
  }

  private dismissed(message: Bye): void {
    if (message.reason === 'moved') {
      this.onMessage(message);
      if (message.url) this.url = new URL(message.url, this.url).href.replace(/^http/, 'ws');
      return this.retry();
    }
    if (message.reason === 'stopping' || message.reason === 'slow') return this.lost();
    this.bye.value = message.reason;
    this.end();
    this.onMessage(message);
  }

  private lost(): void {
    this.drop();
    if (this.state.value === 'ended') return;
    const delay = backoff(this.attempt++);
    this.retryAt.value = Date.now() + delay;
    this.state.value = 'waiting';
    this.retryTimer = setTimeout(() => this.retry(), delay);
  }

  private drop(): void {
    clearInterval(this.pingTimer);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    for (const id of [...this.pending.keys()]) this.settle(id, new Refusal('disconnected', t('error.disconnected')));
  }

  private settle(id: number, error: Refusal | null): void {
    const waiting = this.pending.get(id);
    if (!waiting) return;
    this.pending.delete(id);
    clearTimeout(waiting.timer);
    if (error) waiting.reject(error);
    else waiting.resolve();
  }

  private heartbeat(seconds: number): void {
    clearInterval(this.pingTimer);
    this.lastHeard = Date.now();
    const beat = () => {
      if (Date.now() - this.lastHeard > 2.5 * seconds * 1000) return this.lost();
      this.send({ type: 'ping', sent_at: Date.now() / 1000, active: this.touched });
      this.touched = false;
    };
    this.pingTimer = setInterval(beat, seconds * 1000);
  }

  private post(message: ClientMessage): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }
}
