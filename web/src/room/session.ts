/**
 * A participant's whole visit after joining: socket, room, own devices, peer connection, and the small things only this page knows (drafts,
 * dismissed cards, captions on or off). Components read its signals and call its methods; it never decides what is allowed.
 */
import { computed, effect, signal } from '@preact/signals';
import { t } from '../i18n';
import { Devices } from '../media/devices';
import { Peer } from '../media/peer';
import { ReadAloud } from '../media/read-aloud';
import { Sound } from '../media/sound';
import { speaks } from '../media/speech';
import { request } from '../net/api';
import { sentence } from '../net/errors';
import { RoomFeed, type RoomEvent } from '../net/feed';
import { serverNow, Socket } from '../net/socket';
import { clientId, read, seatToken, write } from '../net/tokens';
import type { Lobby, ParticipantCommand, RoomView, ServerMessage, Welcome } from '../protocol/types';
import { announce } from '../ui/announce';
import { toast } from '../ui/toast';

export class Session {
  readonly feed = new RoomFeed();
  readonly socket: Socket;
  readonly lobby = signal<Lobby | null>(null);
  readonly seatTaken = signal(false);
  readonly refused = signal<{ code: string; message: string; hint: string } | null>(null);
  readonly receive = signal<'all' | 'few' | 'none'>((read(localStorage, 'parley.receive') as 'all' | 'few' | 'none' | null) ?? 'all');
  /** Has left by choice, or the room was left for them. */
  readonly gone = signal(false);
  readonly peer = signal<Peer | null>(null);
  readonly captionsOn = signal(read(localStorage, 'parley.captions') !== 'off');
  readonly keysOn = signal(read(localStorage, 'parley.keys') !== 'off');
  readonly dismissed = signal<ReadonlySet<string>>(new Set((read(sessionStorage, 'parley.dismissed') ?? '').split(' ').filter(Boolean)));

  readonly view = this.feed.view;
  readonly me = computed(() => this.view.value?.me.participant_id ?? '');
  /** The room held is over for this person; a practice room that is over means waiting again. */
  private readonly done = computed(() => this.view.value != null && (this.view.value.closed_at != null || this.view.value.me.presence === 'left'));
  readonly over = computed(() => this.gone.value || (this.done.value && !this.view.value?.practice));
  readonly inRoom = computed(() => this.view.value != null && !this.done.value && !this.gone.value);
  readonly removed = signal(false);
  /** Takes part in writing: no microphone, no camera, no media connection at all. */
  readonly writes = computed(() => this.view.value?.members[this.me.value]?.mode === 'chat');
  readonly readAloud = new ReadAloud(
    (held) => this.devices.hold(held),
    () => (this.view.value?.speaking.length ?? 0) > 0,
  );
  /** The language that the room knows this person to speak. */
  private readonly told = computed(() => this.view.value?.me.speaks ?? null);
  private readonly roomId = computed(() => (this.inRoom.value ? this.view.value?.room_id : undefined));

  private welcome: Welcome | null = null;
  private takeover = false;
  private client = clientId();

  constructor(
    readonly deliberation: string,
    readonly token: string,
    readonly devices: Devices,
    readonly sound: Sound,
  ) {
    this.socket = new Socket(() => {
      const hello = { token: this.token, client_id: this.client, last_seq: this.view.value ? this.feed.lastSeq : 0, takeover: this.takeover };
      this.takeover = false;
      return hello;
    });
    this.socket.onMessage = (message) => void this.hear(message);
    this.feed.onEvents = (events, view) => this.events(events, view);
    this.feed.onGap = () => this.socket.retry();
    this.feed.onRoom = () => {
      void this.join();
    };
    effect(() => {
      // Told again in every room and on every socket: the server keeps it with the seat's connection.
      const microphone = this.devices.tracks.audio.value !== null && !this.devices.muted.value;
      const camera = this.devices.tracks.video.value !== null;
      const room = this.roomId.value;
      if (this.socket.state.value === 'open' && room) this.socket.send({ type: 'media.state', microphone, camera });
    });
    effect(() => {
      const room = this.roomId.value;
      const wanted = speaks.value || null;
      if (this.socket.state.value === 'open' && room && !this.writes.value && wanted !== this.told.value) this.socket.do({ type: 'speech.language', language: wanted }).catch(() => undefined); // nobody asked for it just now: told again in the next room, or on the next socket
    });
    effect(() => {
      if (this.over.value) this.hangUp();
      else if (this.done.value) this.closePeer();
    });
    devices.onFallback = (kind) => toast(t(kind === 'audio' ? 'device.microphone.fallback' : 'device.camera.fallback'));
  }

  start(): void {
    this.socket.retry();
  }

  /** Take the seat over from another page of the same person. */
  takeOver(): void {
    this.takeover = true;
    this.seatTaken.value = false;
    if (!this.writes.value) void this.devices.start();
    this.socket.retry();
  }

  practise(): void {
    this.socket.send({ type: 'practice' });
  }

  /** Run a command; a refusal is shown and returned as false. */
  async do(command: ParticipantCommand): Promise<boolean> {
    try {
      await this.socket.do(command);
      return true;
    } catch (error) {
      toast(sentence(error), 'problem');
      return false;
    }
  }

  async leave(erase: boolean): Promise<void> {
    if (!(await this.do({ type: 'room.leave', erase }))) return;
    if (!this.view.value?.practice) this.gone.value = true;
    if (erase) seatToken.clear(this.deliberation);
  }

  /** Give one's place in the lobby back: nothing about this person is kept. */
  async withdrawWaiting(): Promise<boolean> {
    try {
      await request('DELETE', `/api/participants/${encodeURIComponent(this.welcome?.participant_id ?? '')}`, this.token);
      return true;
    } catch (error) {
      toast(sentence(error), 'problem');
      return false;
    }
  }

  setReceive(video: 'all' | 'few' | 'none'): void {
    this.receive.value = video;
    write(localStorage, 'parley.receive', video);
    this.socket.send({ type: 'media.want', video });
  }

  setCaptions(on: boolean): void {
    this.captionsOn.value = on;
    write(localStorage, 'parley.captions', on ? null : 'off');
    announce(t(on ? 'captions.shown' : 'captions.hidden'));
  }

  setKeys(on: boolean): void {
    this.keysOn.value = on;
    write(localStorage, 'parley.keys', on ? null : 'off');
  }

  dismiss(card: string): void {
    this.dismissed.value = new Set([...this.dismissed.value, card]);
    write(sessionStorage, 'parley.dismissed', [...this.dismissed.value].slice(-200).join(' '));
  }

  toggleHand(short = false): void {
    const view = this.view.value;
    if (!view) return;
    if (view.turn?.participant_id === this.me.value) void this.do({ type: 'turn.done' });
    else if (view.queue.some((h) => h.participant_id === this.me.value && h.short === short)) void this.do({ type: 'hand.lower' });
    else void this.do({ type: 'hand.raise', short });
  }

  toggleMicrophone(): void {
    this.readAloud.stop();
    const { devices } = this;
    if (!devices.tracks.audio.value) {
      devices.mute(false);
      void devices.want('audio', true);
    } else devices.mute(!devices.muted.value);
  }

  toggleCamera(): void {
    void this.devices.want('video', this.devices.tracks.video.value === null);
  }

  private async hear(message: ServerMessage): Promise<void> {
    switch (message.type) {
      case 'welcome':
        this.welcome = message;
        this.refused.value = null;
        this.seatTaken.value = false;
        if (this.view.value) await this.join();
        return;
      case 'lobby':
        if (this.view.value && !this.view.value.practice) {
          // Between two rounds: the room before is over, and with it its connection.
          this.peer.value?.close();
          this.peer.value = null;
          this.feed.leave();
        }
        this.lobby.value = message;
        return;
      case 'media.answer':
        return this.peer.value?.answer(message);
      case 'error':
        if (message.code === 'seat_taken') {
          this.seatTaken.value = true;
          this.socket.end();
        } else if (this.socket.state.value !== 'open') {
          this.refused.value = message;
          this.socket.end();
        } else if (message.code === 'no_room') {
          return; // an offer that crossed the move to the lobby
        } else toast(message.hint ? `${message.message} ${message.hint}` : message.message, 'problem');
        return;
      case 'bye':
        if (message.reason === 'moved') {
          this.feed.lastSeq = 0; // another room awaits: what is held says nothing about it
          return;
        }
        this.removed.value = message.reason === 'removed';
        if (message.reason === 'left' || message.reason === 'removed') this.gone.value = this.view.value != null;
        this.hangUp();
        return;
      default:
        this.feed.receive(message);
    }
  }

  /** Connect media for the room held now: at the start, after coming back, and after a move. */
  private async join(): Promise<void> {
    const welcome = this.welcome;
    if (!welcome || !this.inRoom.value) return;
    this.peer.value?.close();
    if (this.writes.value) {
      this.devices.stop();
      return;
    }
    const peer = new Peer({
      iceServers: welcome.ice_servers,
      slots: welcome.slots,
      send: (m) => this.socket.send(m),
      devices: this.devices,
      sends: 'both',
      sound: this.sound,
    });
    this.peer.value = peer;
    if (this.receive.value !== 'all') this.socket.send({ type: 'media.want', video: this.receive.value });
    await peer.connect();
  }

  private hangUp(): void {
    this.readAloud.stop();
    this.closePeer();
    this.devices.stop();
  }

  private closePeer(): void {
    this.peer.peek()?.close();
    this.peer.value = null;
  }

  private events(events: RoomEvent[], view: RoomView): void {
    const name = (id: string) => view.members[id]?.name ?? '';
    for (const { payload, at } of events) {
      if (serverNow() - at > 15) continue; // replayed after coming back: shown, not announced
      switch (payload.kind) {
        case 'stage.started':
          announce(t('announce.stage', { title: view.agenda[payload.index]?.title ?? '' }));
          break;
        case 'stage.extended':
          if (payload.why === 'pause') toast(t('announce.pause'));
          else announce(t('announce.extended', { n: Math.round(payload.seconds / 60) }));
          break;
        case 'turn.started':
          announce(payload.participant_id === this.me.value ? t('announce.yourTurn') : t('announce.turn', { name: name(payload.participant_id) }));
          break;
        case 'turn.warned':
          if (payload.participant_id === this.me.value) toast(t(payload.overtime ? 'turn.overtime' : 'turn.warned'));
          break;
        case 'turn.ended':
          if (payload.participant_id === this.me.value && payload.muted) {
            this.devices.mute(true);
            toast(t('turn.muted'));
          }
          break;
        case 'utterance.final':
          if (payload.written && payload.text && payload.participant_id !== this.me.value && !this.writes.value)
            this.readAloud.add({ name: name(payload.participant_id), text: payload.text, language: payload.language });
          break;
        case 'member.joined':
          if (payload.participant_id !== this.me.value) announce(t('announce.joined', { name: name(payload.participant_id) }));
          break;
        case 'member.left':
          if (payload.participant_id !== this.me.value) announce(t('announce.left', { name: name(payload.participant_id) }));
          else this.removed.value = payload.reason === 'removed';
          break;
        case 'listener.changed': {
          const who = payload.name ?? t('role.facilitator');
          if (payload.state === 'listening') toast(t('announce.listening', { name: who }));
          if (payload.state === 'speaking') toast(t('announce.speaking', { name: who }));
          break;
        }
        case 'intervention.made':
          announce(`${t(payload.by === 'ai' ? 'card.ai' : 'card.human')}: ${payload.text ?? ''}`);
          break;
        case 'group_statement.opened':
          if (view.group_statements[payload.stage_id]?.options.length) announce(t('announce.group.opened'));
          break;
        case 'group_statement.chosen':
          announce(t(payload.final ? 'announce.group.final' : 'announce.group.chosen'));
          break;
        case 'summary.proposed':
          announce(t('announce.summary'));
          break;
        case 'statement.added':
          announce(t('announce.statement'));
      }
    }
  }
}
