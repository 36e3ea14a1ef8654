/** The facilitators' page: every room live, those in need first; one of them opened beside the others. */
import { computed, signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import { t } from '../i18n';
import { Refusal, sentence } from '../net/errors';
import { mergePatch } from '../net/patch';
import { Socket } from '../net/socket';
import { clientId, linkToken } from '../net/tokens';
import type { FacilitatorCommand, Recognition, RoomCard, ServerMessage } from '../protocol/types';
import { useDraft, useScreen } from '../ui/controls';
import { Icon } from '../ui/icons';
import { Reconnecting } from '../ui/reconnecting';
import { toast } from '../ui/toast';
import { TopBar } from '../ui/topbar';
import { OpenRoom } from './open-room';
import { OverviewCard, urgency } from './overview-card';
import { Watch } from './watch';
import '../room/room.css';
import './monitor.css';

export class Monitor {
  readonly rooms = signal<Record<string, RoomCard>>({});
  readonly waiting = signal(0);
  readonly recognition = signal<Recognition | null>(null);
  readonly refused = signal<Refusal | null>(null);
  readonly selected = signal<ReadonlySet<string>>(new Set());
  readonly open = signal<Watch | null>(null);
  readonly socket: Socket;
  readonly sorted = computed(() => Object.values(this.rooms.value).sort((a, b) => urgency(b) - urgency(a) || a.number - b.number));

  constructor(readonly token: string) {
    const client = clientId();
    this.socket = new Socket(() => ({ token, client_id: client }));
    this.socket.onMessage = (message) => this.hear(message);
    this.socket.retry();
  }

  private hear(message: ServerMessage): void {
    if (message.type === 'welcome') this.rooms.value = {};
    if (message.type === 'overview') {
      this.rooms.value = mergePatch(this.rooms.value, message.patch) as Record<string, RoomCard>;
      this.waiting.value = message.waiting;
      this.recognition.value = message.recognition;
    }
    if (message.type === 'error') {
      const problem = new Refusal(message.code, message.message, message.hint);
      if (this.socket.state.value === 'open') toast(sentence(problem), 'problem');
      else {
        this.refused.value = problem;
        this.socket.end();
      }
    }
    if (message.type === 'bye') this.refused.value = new Refusal(message.reason, t('interrupted.revoked.text'));
  }

  /** Run a command in some rooms; a refusal is shown and returned as false. */
  async do(command: FacilitatorCommand, rooms: readonly string[]): Promise<boolean> {
    try {
      await this.socket.do(command, [...rooms]);
      return true;
    } catch (error) {
      toast(sentence(error), 'problem');
      return false;
    }
  }

  select(room: string, on: boolean): void {
    const next = new Set(this.selected.value);
    if (on) next.add(room);
    else next.delete(room);
    this.selected.value = next;
  }

  watch(room: string | null): void {
    this.open.value?.close();
    this.open.value = room === null ? null : new Watch(room, this.token);
  }
}

export default function MonitorPage({ id }: { id: string }) {
  const [monitor] = useState(() => {
    const token = linkToken(`monitor.${id}`);
    return token === null ? null : new Monitor(token);
  });
  const screen = useScreen(t('monitor.title'));
  useEffect(() => () => monitor?.watch(null), []);
  const refused = monitor?.refused.value;
  if (!monitor || refused) {
    return (
      <main class="notice">
        <h1>{t('monitor.title')}</h1>
        <p>{refused ? sentence(refused) : t('link.missing')}</p>
      </main>
    );
  }
  const open = monitor.open.value;
  const rooms = monitor.sorted.value;
  const recognition = monitor.recognition.value;
  return (
    <div class={open ? 'monitor split' : 'monitor'}>
      <TopBar>
        <p class="monitor-facts">
          <span>{t('monitor.rooms', { n: rooms.filter((r) => r.open).length })}</span>
          <span>{t('monitor.waiting', { n: monitor.waiting.value })}</span>
          {recognition !== null && recognition.recognisers > 0 && (
            <span data-testid="recognisers">
              {t('monitor.recognisers', { n: recognition.recognisers })} <small>({recognition.running.join('; ')})</small>
            </span>
          )}
        </p>
      </TopBar>
      <section aria-label={t('notices')}>
        <Reconnecting socket={monitor.socket} />
        {recognition?.troubles.map((trouble) => (
          <p key={trouble} class="banner warning" data-testid={`trouble-${trouble}`}>
            {t(`recognition.${trouble}`, { n: recognition.recognisers, waiting: recognition.waiting, disk: recognition.on_disk, seconds: Math.round(recognition.behind) })}
          </p>
        ))}
      </section>
      <main class="monitor-main">
        <div class="monitor-head">
          <h1 {...screen}>{t('monitor.title')}</h1>
          <Broadcast monitor={monitor} />
        </div>
        {rooms.length === 0 && <p class="muted">{t('monitor.none')}</p>}
        <ul class="overview">
          {rooms.map((card) => (
            <OverviewCard key={card.room_id} monitor={monitor} card={card} opened={open?.roomId === card.room_id} />
          ))}
        </ul>
      </main>
      {open && <OpenRoom key={open.roomId} monitor={monitor} watch={open} />}
    </div>
  );
}

/** A written message to the rooms that are ticked, or to all. */
function Broadcast({ monitor }: { monitor: Monitor }) {
  const [text, setText] = useDraft('broadcast');
  const live = Object.values(monitor.rooms.value).filter((room) => room.open);
  const chosen = live.filter((room) => monitor.selected.value.has(room.room_id));
  const to = chosen.length > 0 ? chosen : live;
  const ids = to.map((room) => room.room_id);
  return (
    <form
      class="broadcast"
      onSubmit={(event) => {
        event.preventDefault();
        void monitor.do({ type: 'message.send', text: text.trim() }, ids).then((done) => {
          if (!done) return;
          setText('');
          toast(t('monitor.sent', { n: ids.length }));
        });
      }}
    >
      <label for="broadcast">{chosen.length > 0 ? t('monitor.toSome', { n: chosen.length }) : t('monitor.toAll')}</label>
      <div class="broadcast-row">
        <input id="broadcast" type="text" maxLength={1000} dir="auto" value={text} data-testid="broadcast" onInput={(event) => setText(event.currentTarget.value)} />
        <button type="submit" class="button primary" disabled={text.trim() === '' || ids.length === 0} data-testid="broadcast-send">
          {t('monitor.send')}
        </button>
        <button type="button" class="button" disabled={ids.length === 0} data-testid="pause-all" onClick={() => void monitor.do({ type: 'facilitation.pause', paused: to.some((room) => !room.facilitation_paused) }, ids)}>
          <Icon name={to.some((room) => !room.facilitation_paused) ? 'pause' : 'play'} />
          {t(to.some((room) => !room.facilitation_paused) ? 'monitor.pause' : 'monitor.resume')}
        </button>
      </div>
    </form>
  );
}
