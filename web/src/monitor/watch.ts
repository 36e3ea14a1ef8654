/** One room opened from the monitor: its own socket with the room's view, and media while listening in or speaking. */
import { computed, signal } from '@preact/signals';
import { Devices } from '../media/devices';
import { Peer } from '../media/peer';
import { Sound } from '../media/sound';
import { RoomFeed } from '../net/feed';
import { Socket } from '../net/socket';
import type { ServerMessage, Welcome } from '../protocol/types';
import { toast } from '../ui/toast';

export type Presence = 'gone' | 'listening' | 'speaking';

export class Watch {
  readonly feed = new RoomFeed();
  readonly socket: Socket;
  readonly peer = signal<Peer | null>(null);
  readonly presence = signal<Presence>('gone');
  readonly me = computed(() => '');
  readonly devices = new Devices();
  readonly sound = new Sound(this.devices.chosen.output);
  private welcome: Welcome | null = null;

  constructor(
    readonly roomId: string,
    token: string,
  ) {
    const client = crypto.randomUUID();
    this.socket = new Socket(() => ({ token, client_id: client, room_id: roomId, last_seq: this.feed.view.value ? this.feed.lastSeq : 0 }));
    this.socket.onMessage = (message) => void this.hear(message);
    this.feed.onGap = () => this.socket.retry();
    this.socket.retry();
  }

  /** Listen in, speak, or go; the room is told by the server. */
  async be(presence: Presence): Promise<void> {
    await this.socket.do({ type: 'listen', state: presence });
    this.presence.value = presence;
    if (presence === 'speaking') await this.devices.want('audio', true);
    else this.devices.stop();
    await this.connect();
  }

  close(): void {
    if (this.presence.value !== 'gone') this.socket.send({ type: 'do', id: 0, command: { type: 'listen', state: 'gone' } });
    this.peer.value?.close();
    this.devices.stop();
    this.socket.end();
  }

  private async connect(): Promise<void> {
    this.peer.value?.close();
    this.peer.value = null;
    if (!this.welcome || this.presence.value === 'gone') return;
    const peer = new Peer({
      iceServers: this.welcome.ice_servers,
      slots: this.welcome.slots,
      send: (message) => this.socket.send(message),
      devices: this.devices,
      sends: this.presence.value === 'speaking' ? 'audio' : 'nothing',
      sound: this.sound,
    });
    this.peer.value = peer;
    await peer.connect();
  }

  private async hear(message: ServerMessage): Promise<void> {
    switch (message.type) {
      case 'welcome':
        this.welcome = message;
        if (this.presence.value !== 'gone') await this.be(this.presence.value).catch(() => (this.presence.value = 'gone'));
        return;
      case 'media.answer':
        return this.peer.value?.answer(message);
      case 'error':
        toast(`${message.message} ${message.hint}`.trim(), 'problem');
        return;
      default:
        this.feed.receive(message);
    }
  }
}
