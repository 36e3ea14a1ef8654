/** Everyone, in equal tiles: picture or initials, name, seat colour, a ring while speaking, whether muted, whether away. */
import type { ReadonlySignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { percent, t } from '../i18n';
import type { Devices } from '../media/devices';
import type { Peer } from '../media/peer';
import type { RoomFeed } from '../net/feed';
import type { MemberView, RoomView } from '../protocol/types';
import { clock, now } from '../ui/controls';
import { Icon } from '../ui/icons';

/** Whoever sees a room: a participant in it, or a facilitator who listens in (then `me` is empty). */
export interface Viewer {
  me: ReadonlySignal<string>;
  feed: RoomFeed;
  peer: ReadonlySignal<Peer | null>;
  devices: Devices;
}

export function Tiles({ session, view }: { session: Viewer; view: RoomView }) {
  const members = Object.values(view.members)
    .filter((m) => m.presence !== 'left')
    .sort((a, b) => a.seat - b.seat);
  return (
    <section class={`tiles count-${members.length}`} aria-label={t('tiles')}>
      {members.map((member) => (
        <Tile key={member.participant_id} session={session} view={view} member={member} />
      ))}
    </section>
  );
}

function Tile({ session, view, member }: { session: Viewer; view: RoomView; member: MemberView }) {
  const id = member.participant_id;
  const own = id === session.me.value;
  const live = session.feed.live.value[id];
  const peer = session.peer.value;
  const mid = session.feed.slots.value.find((slot) => slot.kind === 'video' && slot.participant_id === id && !slot.paused)?.mid;
  const track = own ? session.devices.tracks.video.value : mid !== undefined ? (peer?.videos.value[mid] ?? null) : null;
  const writes = member.mode === 'chat';
  const microphone = own ? session.devices.tracks.audio.value !== null && !session.devices.muted.value : (live?.microphone ?? true);
  const camera = own ? track !== null : (live?.camera ?? true);
  const speaking = view.speaking.includes(id);
  const turn = view.turn?.participant_id === id ? view.turn : null;
  const place = view.queue.findIndex((hand) => hand.participant_id === id);
  const trouble = !own && (live?.connection === 'disconnected' || live?.connection === 'failed');
  const ref = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const video = ref.current;
    if (!video) return;
    video.srcObject = track ? new MediaStream([track]) : null;
    if (track) void video.play().catch(() => undefined);
  }, [track]);
  const state = [
    speaking ? t('tile.speaking') : '',
    writes ? t('tile.writes') : microphone ? '' : t('tile.muted'),
    member.presence === 'away' ? t('tile.away') : '',
    turn ? t('tile.turn') : '',
    place >= 0 ? t('tile.queue', { n: place + 1 }) : '',
  ].filter(Boolean);
  return (
    <figure
      class={`tile seat-${((member.seat - 1) % 8) + 1}${speaking ? ' speaking' : ''}${member.presence === 'away' ? ' away' : ''}${camera && track ? '' : ' no-picture'}`}
      data-testid={`tile-${id}`}
      data-name={member.name}
      data-participant={id}
      aria-label={[member.name, ...state].join(', ')}
    >
      <video ref={ref} autoplay muted playsInline class={own ? 'mirror' : ''} aria-hidden="true" />
      <span class="initials" aria-hidden="true">
        {initials(member.name)}
      </span>
      {turn && (
        <span class={turn.overtime ? 'floor over' : 'floor'}>
          <Icon name="clock" />
          {clock(turn.ends_at - now.value)}
        </span>
      )}
      {place >= 0 && (
        <span class="queued">
          <Icon name="hand" />
          {place + 1}
        </span>
      )}
      {member.presence === 'away' && <span class="tile-note">{t('tile.away')}</span>}
      {member.presence !== 'away' && trouble && <span class="tile-note">{t('tile.trouble')}</span>}
      <figcaption>
        {writes ? <span class="writes"><Icon name="pen" /></span> : !microphone && <Icon name="mic-off" />}
        <span class="tile-name">
          {member.name}
          {own ? ` ${t('you')}` : ''}
          {member.simulated ? ` ${t('simulated')}` : ''}
        </span>
        <span class="tile-share" aria-hidden="true">
          {percent(member.share)}
        </span>
      </figcaption>
    </figure>
  );
}

export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words[words.length - 1]] : [words[0]];
  return letters.map((word) => [...(word ?? '')][0] ?? '').join('').toLocaleUpperCase();
}
